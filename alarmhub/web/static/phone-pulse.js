// A heart for the app: a page in the background is woken once a second at best, a worker is not held back.
setInterval(() => postMessage(0), 250);
