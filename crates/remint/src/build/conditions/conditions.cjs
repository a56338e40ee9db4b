// Loaded before every program of Node.js in a build that is to find other conditions. Types, identities and whatever is
// given a time stay as they are; only what would ask the machine is answered otherwise.
"use strict";

const CLOCK = @clock@ * 1000;
const PROCESSORS = @processors@;

if (CLOCK !== 0) {
  const Real = Date;
  const real = Real.now;
  const now = {
    now() {
      return real() + CLOCK;
    },
  }.now;
  const Shifted = new Proxy(Real, {
    construct(target, given, made) {
      return Reflect.construct(target, given.length === 0 ? [now()] : given, made);
    },
    apply() {
      return new Real(now()).toString();
    },
  });
  const hidden = { writable: true, configurable: true, enumerable: false };
  Object.defineProperty(Real, "now", { value: now, ...hidden });
  Object.defineProperty(Real.prototype, "constructor", { value: Shifted, ...hidden });
  Object.defineProperty(global, "Date", { value: Shifted, ...hidden });
}

if (PROCESSORS !== 0) {
  const os = require("os");
  const real = os.cpus;
  os.cpus = function cpus() {
    return real().slice(0, PROCESSORS);
  };
  const { syncBuiltinESMExports } = require("module");
  if (syncBuiltinESMExports) syncBuiltinESMExports();
}
