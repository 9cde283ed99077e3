// What the phone app says, in Swedish and English, chosen by the browser's language. Labels the site gives
// (places, types, units) come from the hub as they are. No text says "kvittera": it means two things on a ward.

const WORDS = {
  // the page
  app: ["Larmtelefon", "Alarm phone"],
  loading: ["Startar …", "Starting …"],
  calm: ["Inga larm", "No alarms"],
  calm_more: ["Telefonen ringer när något gäller dig.", "The phone rings when something concerns you."],
  unknown: ["Larmläget är okänt", "Alarms are unknown"],
  unknown_more: ["Telefonen vet inte om något larmar förrän den har kontakt.", "The phone does not know of any alarm until it is in contact."],
  alarms: ["Larm", "Alarms"],
  more: ["Mer", "More"],
  shift: ["Mitt pass", "My shift"],
  back: ["Tillbaka", "Back"],
  close: ["Stäng", "Close"],
  again: ["Försök igen", "Try again"],
  yes: ["Ja", "Yes"],
  no: ["Nej", "No"],
  new_version: ["Ny version finns. Tryck för att ladda den.", "There is a new version. Press to load it."],

  // the contact
  contact_live: ["Kontakt", "In contact"],
  contact_seeking: ["Söker kontakt", "Seeking contact"],
  contact_lost: ["INGEN KONTAKT", "NO CONTACT"],
  contact_lost_more: [
    "Telefonen når inte larmsystemet. Larm kommer inte fram hit: lyssna i korridoren.",
    "The phone cannot reach the hub. Alarms do not arrive here: listen in the corridor.",
  ],
  contact_since: ["Sedan {time}.", "Since {time}."],
  not_storing: ["INGET SPARAS", "NOTHING IS SAVED"],
  not_storing_more: [
    "Larmsystemet kan inte spara. Dina svar hålls kvar här och skickas när det går.",
    "The hub cannot save. Your answers are kept here and sent when it can.",
  ],
  hush_warning: ["Tysta varningen", "Silence the warning"],
  contact_back: ["Kontakt igen", "In contact again"],
  kept_answers: ["{n} svar väntar på att skickas", "{n} answers wait to be sent"],
  kept_answer: ["1 svar väntar på att skickas", "1 answer waits to be sent"],
  never_arrived: ["Svaret kom aldrig fram: {answer}", "The answer never arrived: {answer}"],
  replaced: ["Appen är öppen i ett annat fönster", "The app is open in another window"],
  replaced_more: ["Det här fönstret ringer inte.", "This window does not ring."],
  use_here: ["Använd det här fönstret", "Use this window"],
  refused: ["Telefonen är inte godkänd längre", "The phone is no longer admitted"],
  refused_more: [
    "Den kan vara spärrad. Den ringer inte. Registrera den igen, eller be enhetschefen.",
    "It may have been locked. It does not ring. Enrol it again, or ask the unit manager.",
  ],
  nobody_here: ["Ingen är inloggad på telefonen", "Nobody is signed in on this phone"],
  nobody_here_more: ["Den ringer inte förrän någon loggar in.", "It does not ring until somebody signs in."],
  too_many_faults: ["Appen och larmsystemet förstår inte varandra", "App and hub do not understand each other"],

  // sound
  mute_now: ["TELEFONEN ÄR STUM", "THE PHONE IS MUTE"],
  mute_now_more: ["tills du trycker här", "until you press here"],
  rings_now: ["Ringer", "Rings"],
  mute_ring: ["Tysta här", "Mute here"],
  muted_here: ["Tystad på den här telefonen", "Muted on this phone"],
  try_sound: ["Prova ljudet", "Try the sound"],
  night: ["Nattprofil", "Night profile"],
  night_more: [
    "Vibrerar fem sekunder, ringer sedan allt starkare. Gäller aldrig hög prioritet.",
    "Vibrates for five seconds, then rings louder and louder. Never for high priority.",
  ],
  cannot_vibrate: ["Kan inte vibrera.", "Cannot vibrate."],
  cannot_wake: [
    "Kan inte hålla skärmen tänd: lås inte telefonen.",
    "Cannot keep the screen on: do not lock the phone.",
  ],
  cannot_notify: ["Visar inga notiser när appen är dold.", "Shows no notifications while the app is hidden."],
  cannot_push: ["Kan inte väckas när appen är stängd.", "Cannot be woken while the app is closed."],
  cannot_keep: ["Minns ingenting när fönstret stängs.", "Remembers nothing when the window closes."],
  cannots: ["Det här kan telefonen inte", "What this phone cannot do"],
  can_all: ["Telefonen kan ringa, vibrera och väckas.", "The phone can ring, vibrate and be woken."],

  // an alarm
  p_high: ["Hög", "High"],
  p_medium: ["Medel", "Medium"],
  p_low: ["Låg", "Low"],
  p_information: ["Information", "Information"],
  priority: ["prioritet {p}", "{p} priority"],
  plant_says: ["Anläggningen säger", "The plant says"],
  just_now: ["nyss", "just now"],
  age: ["för {t} sedan", "{t} ago"],
  count: ["Kallat {n} gånger", "Called {n} times"],
  next_ringing: ["Går vidare om {t}", "Passes on in {t}"],
  next_handed: ["Ringer andra om {t}", "Rings others in {t}"],
  handed: ["Lämnas över till dig", "Handed over to you"],
  next_soon: ["Går vidare nu", "Passes on now"],
  next_accepted: ["Påminnelse om {t}", "Reminder in {t}"],
  nobody_yet: ["Ingen har tagit det", "Nobody has taken it"],
  taken_by: ["Tas av {names}", "Taken by {names}"],
  you_take: ["Du tar det", "You take it"],
  you_there: ["Du är på plats", "You are there"],
  you_holding: ["Du kommer strax", "You are coming soon"],
  you_noted: ["Ditt svar är noterat", "Your answer is noted"],
  phase_attended: ["Någon är på plats", "Somebody is there"],
  phase_partly: ["Fler behövs", "More are needed"],
  why_me: ["Varför jag?", "Why me?"],
  who_else: ["Vilka fler?", "Who else?"],
  only_you: ["Bara du just nu.", "Only you for now."],
  and_more: ["{names} och {n} till", "{names} and {n} more"],
  call_back: ["Ring upp", "Call back"],
  also_rings: ["{n} larm till ringer", "{n} more alarms ring"],
  also_ring: ["1 larm till ringer", "1 more alarm rings"],
  show_all: ["Visa alla", "Show all"],
  prov: ["PROV", "TEST"],
  prov_more: ["Detta är ett prov. Ingen behöver gå.", "This is a test. Nobody has to go."],
  prov_heard: ["Jag hörde", "I heard it"],
  silent_drill: ["Tyst prov bekräftat {time}", "Silent drill confirmed {time}"],
  waits: ["Väntar på kontakt", "Waits for contact"],
  sending: ["Skickar …", "Sending …"],

  // answers
  accept: ["Jag tar den", "I'll take it"],
  decline: ["Kan inte", "Can't"],
  release: ["Lämna tillbaka", "Give back"],
  attend: ["På plats", "I'm there"],
  done: ["Klar", "Done"],
  help: ["Hjälp hit", "Help here"],
  extend: ["Mer tid", "More time"],
  take_over: ["Jag tar över", "I'll take over"],
  hold: ["Kommer strax", "Coming soon"],
  safe: ["Platsen är lugn", "It is safe here"],
  ok_accept: ["Du tar den.", "It is yours."],
  ok_decline: ["Svarat: kan inte.", "Answered: can't."],
  ok_release: ["Lämnad tillbaka.", "Given back."],
  ok_attend: ["Du är på plats.", "You are there."],
  ok_done: ["Klar.", "Done."],
  ok_help: ["Hjälp är kallad.", "Help is called."],
  ok_extend: ["Tre minuter till.", "Three minutes more."],
  ok_take_over: ["Du har tagit över.", "You have taken over."],
  ok_hold: ["Samdrift ringer medan du kommer.", "Cover rings while you are coming."],
  ok_safe: ["Sagt: platsen är lugn.", "Said: it is safe."],

  // why me, by code
  why_care_team: ["Du är i vårdlaget där.", "You are in the care team there."],
  why_unit: ["Du är i tjänst på enheten.", "You are on duty in the unit."],
  why_cover: ["Du svarar för enheten (samdrift).", "You cover the unit."],
  why_shift_leader: ["Du är ledningsansvarig.", "You are the shift leader."],
  why_team: ["Du är i larmteamet.", "You are in the alarm team."],
  why_deputies: ["Du ersätter någon som saknas i teamet.", "You stand in for somebody the team lacks."],
  why_neighbours: ["Du är på grannenheten.", "You are in the neighbouring unit."],
  why_guards: ["Du är väktare.", "You are a guard."],
  why_switchboard: ["Du är växeln.", "You are the switchboard."],
  why_on_call: ["Du har jour.", "You are on call."],
  why_everyone: ["Alla på plats larmas.", "Everyone on site is called."],
  why_belongs: ["Telefonen hör till enheten.", "The phone belongs to the unit."],
  why_accepted_unasked: ["Du tog det själv.", "You took it unasked."],
  why_last_resort: ["Sista utvägen: ingen annan har svarat.", "The last resort: nobody else has answered."],

  // flags worth saying
  f_unanswered: ["Obesvarat", "Unanswered"],
  f_unconfirmed: ["Inte bekräftat sedan anläggningen tappades", "Not confirmed since the plant was lost"],
  f_reset_unclear: ["Oklart vad som återställdes", "Unclear what was reset"],
  f_not_attended: ["Ingen kom i tid", "Nobody arrived in time"],
  f_reset_seen: ["Återställt: säg om platsen är lugn", "Reset: say whether it is safe"],
  f_safe_said: ["Sagt lugnt, väntar på återställning", "Said to be safe, waiting for the reset"],
  f_place_unknown: ["Okänd plats", "Unknown place"],
  f_place_not_verified: ["Platsen är inte kontrollerad", "Place not verified"],
  f_last_resort: ["Sista utvägen ringer", "The last resort rings"],
  f_presence: ["Närvaro i rummet", "Presence in the room"],
  f_acknowledged_at_source: ["Besvarat vid källan", "Answered at the source"],
  f_reminded: ["Påminnelse: är du på plats?", "Reminder: are you there?"],

  // kinds
  k_patient_call: ["Patientkallelse", "Patient call"],
  k_toilet_call: ["WC-kallelse", "Toilet call"],
  k_assistance: ["Assistans", "Assistance"],
  k_emergency: ["Akutlarm", "Emergency"],
  k_team: ["Teamlarm", "Team alarm"],
  k_assault: ["Överfallslarm", "Assault alarm"],
  k_clinical: ["Övervakningslarm", "Monitor alarm"],
  k_technical: ["Tekniskt larm", "Technical alarm"],
  k_door: ["Dörrsignal", "Door signal"],
  k_request: ["Förfrågan", "Request"],
  k_drill: ["Provlarm", "Drill"],

  // why it went away
  g_reset: ["Återställd i rummet", "Reset in the room"],
  g_done: ["Klar", "Done"],
  g_expired: ["Tiden gick ut", "Its time ran out"],
  g_interrupted: ["Avbruten av ett riktigt larm", "Interrupted by a real alarm"],
  g_ended: ["Avslutad", "Ended"],
  g_declined: ["Du kunde inte", "You could not"],
  g_released: ["Lämnad tillbaka", "Given back"],
  g_passed_on: ["Har gått vidare till andra", "Passed on to others"],
  g_synced: ["Gäller inte dig längre", "Does not concern you any more"],

  // refusals
  e_ended: ["Larmet är redan avslutat.", "The alarm has already ended."],
  e_not_concerned: ["Larmet gäller inte dig nu.", "The alarm does not concern you now."],
  e_stale: ["Larmet har gått vidare sedan du såg det.", "The alarm has moved on since you saw it."],
  e_taken: ["En kollega har redan tagit det.", "A colleague has already taken it."],
  e_noted: [
    "Noterat, men det ringer vidare: här behövs någon på plats.",
    "Noted, but it rings on: somebody is needed on site.",
  ],
  e_not_yours: ["Det är inte du som har tagit det.", "You are not the one who has taken it."],
  e_not_allowed: ["Det går inte för det här larmet.", "That is not possible for this alarm."],
  e_already_extended: ["Mer tid har redan getts en gång.", "More time was given once already."],
  e_nothing_to_take_over: ["Det finns ingen att ta över från.", "There is nobody to take over from."],
  e_too_many: ["För många svar på en gång.", "Too many answers at once."],
  e_other: ["Det gick inte: {error}", "That failed: {error}"],

  // availability
  available: ["Tillgänglig", "Available"],
  busy: ["Upptagen", "Busy"],
  break: ["Rast", "Break"],
  availability: ["Jag är", "I am"],
  last_one: ["Du är den sista som går att nå", "You are the last one who can be reached"],
  last_one_more: ["Vem tar larmen medan du är borta?", "Who takes the alarms while you are away?"],
  nobody_free: ["Ingen annan går att nå. Stanna kvar.", "Nobody else can be reached. Please stay."],

  // sign-in and enrolment
  sign_in: ["Logga in", "Sign in"],
  sign_in_first: ["Logga in igen först", "Sign in again first"],
  sign_in_first_more: [
    "Inloggningen har gått ut. Larm ringer och kan besvaras ändå.",
    "Your sign-in has expired. Alarms ring and can be answered all the same.",
  ],
  sign_out: ["Logga ut", "Sign out"],
  login: ["Användarnamn", "User name"],
  password: ["Lösenord", "Password"],
  wrong: ["Fel användarnamn eller lösenord.", "Wrong user name or password."],
  slow_down: ["För många försök. Vänta en stund.", "Too many attempts. Wait a while."],
  other_ways: ["Fler sätt att logga in", "Other ways to sign in"],
  must_change: ["Välj ett eget lösenord", "Choose a password of your own"],
  must_change_more: ["Engångslösenordet gällde bara nu.", "The one-time password was for now only."],
  current_password: ["Nuvarande lösenord", "Present password"],
  new_password: ["Nytt lösenord", "New password"],
  password_rules: [
    "Minst 12 tecken. Gärna flera ord som inte hör ihop. Inga krav på siffror eller tecken.",
    "At least 12 characters. Best several words that do not belong together. No digits or signs needed.",
  ],
  password_short: ["Lösenordet är för kort: minst 12 tecken.", "The password is too short: at least 12 characters."],
  password_long: ["Lösenordet är för långt: högst 256 tecken.", "The password is too long: at most 256 characters."],
  password_guessed: [
    "För lätt att gissa. Välj flera ord som inte hör ihop.",
    "Too easy to guess. Choose several words that do not belong together.",
  ],
  password_wrong: ["Nuvarande lösenord stämmer inte.", "The present password is not right."],
  cannot_sign_in: ["Inloggning finns inte här än.", "There is no sign-in here yet."],
  enrol: ["Registrera telefonen", "Enrol this phone"],
  not_enrolled: ["Telefonen är inte registrerad", "This phone is not enrolled"],
  not_enrolled_more: [
    "Den ringer inte. Logga in och registrera den, eller skanna en QR-kod från en inloggad dator.",
    "It does not ring. Sign in and enrol it, or scan a QR code from a computer where you are signed in.",
  ],
  code: ["Kod", "Code"],
  code_bad: ["Koden gäller inte längre. Ta fram en ny.", "The code is no longer valid. Get a new one."],
  enrolling: ["Registrerar …", "Enrolling …"],
  enrolled: ["Telefonen är registrerad.", "The phone is enrolled."],
  replace_ask: [
    "Telefonen är redan registrerad. Ska den registreras om med den här länken?",
    "This phone is enrolled already. Enrol it anew with this link?",
  ],
  take_phone: ["Ta över en telefon", "Take over a phone"],
  handover_ask: [
    "Ska du ta över lånetelefonen? Svara ja bara om du har den i handen.",
    "Take over the pool phone? Say yes only if it is in your hand.",
  ],
  taken_over_phone: ["Telefonen är din nu.", "The phone is yours now."],
  hand_over: ["Lämna över telefonen", "Hand this phone over"],
  hand_over_more: [
    "Den som tar över skannar koden med en telefon där hen är inloggad.",
    "Whoever takes it scans the code on a phone where they are signed in.",
  ],
  it_is_mine: ["Jag bär den här telefonen", "I carry this phone"],

  // the shift
  who_am_i: ["Jag", "Me"],
  my_unit: ["Min enhet", "My unit"],
  my_beds: ["Mina platser", "My beds"],
  nobody_has: ["Ingen har den", "Nobody has it"],
  all_free: ["Ta alla utan vårdlag ({n})", "Take all without a care team ({n})"],
  begin_shift: ["Börja passet", "Begin the shift"],
  change_shift: ["Spara", "Save"],
  started: ["Passet har börjat.", "The shift has begun."],
  heard_ask: ["Hör du telefonen?", "Do you hear the phone?"],
  heard_ask_more: [
    "Larmsystemet ringer telefonen med ett prov. Svara på provet när du hör det.",
    "The hub rings the phone with a test. Answer the test when you hear it.",
  ],
  ring_again: ["Ring igen", "Ring again"],
  ring_over: ["Provet är över. Ring igen.", "The test is over. Ring again."],
  ring_not_reported: ["Telefonen har inte ringt än.", "The phone has not rung yet."],
  heard: ["Ja, jag hör den", "Yes, I hear it"],
  unheard: ["Du har inte visat att du hör telefonen.", "You have not shown that you hear the phone."],
  not_heard: ["Nej", "No"],
  not_heard_more: [
    "Höj volymen, stäng av ljudlöst läge, och prova igen. Hör du den ändå inte: byt telefon.",
    "Raise the volume, turn silent mode off, and try again. If you still do not hear it: take another phone.",
  ],
  on_shift: ["I tjänst på {unit}", "On duty in {unit}"],
  no_beds: ["Inga platser valda: larm på enheten som saknar vårdlag ringer dig.", "No beds chosen: alarms of the unit without a care team ring you."],
  one_bed: ["1 plats", "1 bed"],
  n_beds: ["{n} platser", "{n} beds"],
  no_shift: ["Du har inte börjat något pass", "You have not begun a shift"],
  no_shift_more: ["Telefonen ringer bara om schemat har dig i tjänst.", "The phone rings only if the schedule has you on duty."],
  to_shift: ["Till Mitt pass", "Go to My shift"],
  sign_off: ["Sluta passet", "End the shift"],
  sign_off_more: ["Telefonen slutar ringa dig.", "The phone stops ringing for you."],
  signed_off: ["Passet är slut.", "The shift has ended."],
  receiver: ["Vem tar över?", "Who takes over?"],
  receiver_more: [
    "Du har larm som du har tagit. Välj vem som tar dem innan du slutar.",
    "You have alarms that you took. Choose who takes them before you leave.",
  ],
  choose: ["Välj …", "Choose …"],
  not_there_yet: ["Det finns inte i det här larmsystemet än.", "This hub does not have that yet."],
  failed: ["Det gick inte. Försök igen.", "That failed. Try again."],

  // notifications
  notify_ask: ["Tillåt notiser", "Allow notifications"],
  notify_ask_more: [
    "Då väcks telefonen av larm även när appen är dold. Notisen säger bara ”Larm”: inget namn, rum eller text.",
    "Then alarms wake the phone while the app is hidden. The notification only says “Alarm”: no name, room or text.",
  ],
  notify_denied: [
    "Notiser är avstängda för appen. Slå på dem i telefonens inställningar.",
    "Notifications are off for this app. Turn them on in the phone's settings.",
  ],
  note_title: ["Larm", "Alarm"],
  note_test: ["Prov", "Test"],
};

export const KEYS = Object.keys(WORDS);

export function languageOf(tags) {
  for (const tag of tags) {
    const short = String(tag).toLowerCase().slice(0, 2);
    if (short === "sv" || short === "en") return short;
    if (["nb", "nn", "no", "da"].includes(short)) return "sv"; // nearer than English
  }
  return "en";
}

export const language = languageOf(navigator.languages?.length ? navigator.languages : [navigator.language]);

export function say(key, facts = {}, tongue = language) {
  const pair = WORDS[key];
  if (pair === undefined) return key;
  return pair[tongue === "sv" ? 0 : 1].replace(/\{(\w+)\}/g, (_, name) => String(facts[name] ?? ""));
}

// The words for a code of the hub, or what the hub itself said where the app has none.
export function sayOr(key, otherwise) {
  return WORDS[key] === undefined ? otherwise : say(key);
}

export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function clock(epochMs) {
  return new Date(epochMs).toLocaleTimeString(language === "sv" ? "sv-SE" : "en-GB", {
    hour: "2-digit",
    minute: "2-digit",
  });
}
