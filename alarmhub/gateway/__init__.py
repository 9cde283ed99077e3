"""Phone sockets: the server, who can be reached, and what each phone is shown."""
