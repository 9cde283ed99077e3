#!/usr/bin/perl
# Net::SNPP as a console. Usage: snpp_net_snpp.pl PORT page NUMBER TEXT | twoway NUMBER TEXT | status TAG PASS | help
# Prints what the library made of the answers, one value a line. Its reply_type is left out: 1.17 sends RTYPe the
# number of its arguments.
use strict;
use warnings;
use Net::SNPP;

my ($port, $what, @rest) = @ARGV;
my $snpp = Net::SNPP->new('127.0.0.1', Port => $port, Timeout => 10) or die "no greeting\n";
if ($what eq 'page') {
    my ($numbers, $text) = @rest;
    my $ok = $snpp->send(Pager => [split /,/, $numbers], Message => $text, Alert => 1, ServiceLevel => 0);
    print $ok ? "sent\n" : "refused\n", $snpp->code, "\n";
} elsif ($what eq 'data') {
    my ($number, @lines) = @rest;
    $snpp->pager_id($number) && $snpp->subject('Lab') && $snpp->data(map { "$_\n" } @lines)
        or die $snpp->message;
    print $snpp->send ? "sent\n" : "refused\n", $snpp->code, "\n";
} elsif ($what eq 'twoway') {
    my ($number, $text) = @rest;
    $snpp->two_way && $snpp->pager_id($number) && $snpp->content($text) && $snpp->read_ack(1)
        && $snpp->message_response('01', 'Accept')
        && $snpp->message_response('02', 'Reject') && $snpp->expire_time(1) && $snpp->noqueue
        or die $snpp->code . $snpp->message;
    my ($tag, $pass, $said, $kind) = $snpp->send_two_way;
    print "$tag\n$pass\n$kind\n";
} elsif ($what eq 'status') {
    my @status = $snpp->message_status(@rest);
    print join("\n", map { defined $_ ? $_ : '' } @status[4, 0, 1, 2, 3]), "\n";
} elsif ($what eq 'help') {
    print scalar(() = $snpp->help), "\n", $snpp->code, "\n";
}
$snpp->quit;
