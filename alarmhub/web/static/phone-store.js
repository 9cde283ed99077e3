// What this phone keeps: its secret, who it last belonged to, settings, and answers not yet taken by the hub.
// In IndexedDB, which page and service worker share; in memory where the browser keeps nothing (`lasting`
// says so). It never writes a secret anywhere else.

const NAME = "alarmhub";
const TABLES = ["facts", "answers"];

function opened() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      for (const table of TABLES) request.result.createObjectStore(table);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("blocked"));
  });
}

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

class Kept {
  constructor(database) {
    this.database = database;
    this.lasting = true;
  }

  table(name, mode) {
    return this.database.transaction(name, mode).objectStore(name);
  }

  get(key) {
    return settled(this.table("facts", "readonly").get(key));
  }

  put(key, value) {
    return settled(this.table("facts", "readwrite").put(value, key));
  }

  drop(key) {
    return settled(this.table("facts", "readwrite").delete(key));
  }

  answers() {
    return settled(this.table("answers", "readonly").getAll());
  }

  keepAnswer(answer) {
    return settled(this.table("answers", "readwrite").put(answer, answer.req));
  }

  dropAnswer(req) {
    return settled(this.table("answers", "readwrite").delete(req));
  }
}

class Fleeting {
  constructor() {
    this.lasting = false;
    this.facts = new Map();
    this.kept = new Map();
  }

  async get(key) {
    return this.facts.get(key);
  }

  async put(key, value) {
    this.facts.set(key, value);
  }

  async drop(key) {
    this.facts.delete(key);
  }

  async answers() {
    return [...this.kept.values()];
  }

  async keepAnswer(answer) {
    this.kept.set(answer.req, answer);
  }

  async dropAnswer(req) {
    this.kept.delete(req);
  }
}

export async function openStore() {
  try {
    return new Kept(await opened());
  } catch {
    return new Fleeting();
  }
}
