// The hub over HTTP: who is signed in, enrolment, the shift. A 404 without a problem of its own means that
// this hub does not have that yet. Nothing here is needed for an alarm to ring.

const WITHIN_MS = 8_000;

export class Refused extends Error {
  // `status` 0: the hub could not be reached.
  constructor(status, problem) {
    super(problem?.detail ?? problem?.title ?? `status ${status}`);
    this.status = status;
    this.problem = problem ?? {};
    this.error = this.problem.error ?? "";
  }

  get absent() {
    return this.status === 404 || this.status === 405;
  }
}

export class Api {
  // `secret()`: the phone's own, or "".
  constructor(secret) {
    this.secret = secret;
    this.csrf = "";
  }

  async call(method, path, body, { asPhone = false } = {}) {
    const headers = {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (method !== "GET" && this.csrf) headers["X-Alarmhub-CSRF"] = this.csrf;
    if (asPhone && this.secret()) headers.Authorization = `Bearer ${this.secret()}`;
    let response;
    try {
      response = await fetch(path, {
        method, headers, credentials: "same-origin", cache: "no-store",
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(WITHIN_MS),
      });
    } catch {
      throw new Refused(0);
    }
    const said = response.status === 204 ? null : await response.json().catch(() => null);
    if (!response.ok) throw new Refused(response.status, said);
    return said;
  }

  config() {
    return this.call("GET", "/api/v1/phone/config");
  }

  async me() {
    const me = await this.call("GET", "/api/v1/me");
    this.csrf = me.csrf ?? "";
    return me;
  }

  async signIn(login, password) {
    await this.call("POST", "/api/v1/session", { login, password, keep: true });
    return this.me();
  }

  async changePassword(current, chosen) {
    await this.call("POST", "/api/v1/me/password", { current, new: chosen, keep: true });
    return this.me();
  }

  async signOut() {
    await this.call("DELETE", "/api/v1/session");
    this.csrf = "";
  }

  invite(label, pool, unit) {
    return this.call("POST", "/api/v1/enrolments", { label, pool, ...(unit ? { unit } : {}) });
  }

  enrol(code, label) {
    return this.call("POST", "/api/v1/devices", { code, label, platform: "web" });
  }

  // `receivers`: who takes on what the phone's carrier has in hand, by alarm.
  bind(receivers) {
    return this.call("POST", "/api/v1/device/bind", receivers ? { receivers } : {}, { asPhone: true });
  }

  unbind() {
    return this.call("POST", "/api/v1/device/unbind", {}, { asPhone: true });
  }

  offerHandover() {
    return this.call("POST", "/api/v1/device/handover", {}, { asPhone: true });
  }

  takeHandover(code, receivers) {
    return this.call("POST", "/api/v1/handovers", receivers ? { code, receivers } : { code });
  }

  shift(unit) {
    return this.call("GET", `/api/v1/shift${unit ? `?unit=${encodeURIComponent(unit)}` : ""}`);
  }

  beginShift(unit, beds) {
    return this.call("PUT", "/api/v1/shift", { unit, beds });
  }

  // Without an alarm the hub rings this person's phones; with it, that ring was heard.
  heard(alarm) {
    return this.call("POST", "/api/v1/shift/heard", alarm ? { alarm } : {});
  }

  endShift(receivers) {
    return this.call("POST", "/api/v1/shift/off", receivers ? { receivers } : {});
  }

  putPush(address, keys) {
    return this.call("PUT", "/api/v1/device/push", { transport: "webpush", address, keys }, { asPhone: true });
  }
}
