"""The ways by which a sleeping phone is woken: APNs, FCM v1 and Web Push, behind one interface (`transport`).

A transport carries an opaque id and a priority to one address and says, within its deadline, what became of
it. It refuses to know alarms, people or the database, to decide who is pushed to, and to try again later:
whoever calls it does that.
"""
