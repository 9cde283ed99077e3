// Sends each HL7 message file named on the command line with simple-hl7, one connection; prints MSA-1 and MSA-2.
const fs = require("fs");
const hl7 = require("simple-hl7");

const [port, ...files] = process.argv.slice(2);
const parser = new hl7.Parser({ segmentSeperator: "\r" });
const client = hl7.Server.createTcpClient({ host: "127.0.0.1", port: Number(port), keepalive: true });

function next() {
  const file = files.shift();
  if (!file) {
    client.close();
    return;
  }
  client.send(parser.parse(fs.readFileSync(file, "utf8")), (error, ack) => {
    if (error) throw error;
    const msa = ack.getSegment("MSA");
    console.log(msa.getField(1) + " " + msa.getField(2));
    setImmediate(next);
  });
}

next();
