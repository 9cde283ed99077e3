// A Modbus/TCP server of modbus-serial: `node modbus_serial.js PORT`. Each line on stdin sets one value
// ("discrete 3 1"); an address never set does not exist. Says "ready" when it listens; ends with its stdin.
"use strict";
const { ServerTCP } = require("modbus-serial");

const tables = { coil: {}, discrete: {}, input: {}, holding: {} };
const get = (table) => (address) => {
  if (!(address in tables[table])) throw { modbusErrorCode: 2 };
  return tables[table][address];
};
const flag = (table) => (address) => Boolean(get(table)(address));

const server = new ServerTCP(
  {
    getCoil: flag("coil"),
    getDiscreteInput: flag("discrete"),
    getInputRegister: get("input"),
    getHoldingRegister: get("holding"),
  },
  { host: "127.0.0.1", port: Number(process.argv[2]), unitID: 1 },
);
server.on("initialized", () => console.log("ready"));
server.on("socketError", () => {});
server.on("serverError", () => process.exit(1));

require("readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    const [table, address, value] = line.split(" ");
    tables[table][Number(address)] = Number(value);
  })
  .on("close", () => process.exit(0));
