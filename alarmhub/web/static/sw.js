// The service worker of the phone app.
