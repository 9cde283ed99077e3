// Sends each HL7 message file named on the command line with node-hl7-client; prints MSA-1 and MSA-2 of each answer.
const fs = require("fs");
const { Client, Message } = require("node-hl7-client");

const [port, ...files] = process.argv.slice(2);
const client = new Client({ host: "127.0.0.1" });

const connection = client.createConnection({ port: Number(port) }, (response) => {
  const answer = response.getMessage();
  console.log(answer.get("MSA.1").toString() + " " + answer.get("MSA.2").toString());
  setImmediate(next);
});
connection.on("connect", next);

async function next() {
  const file = files.shift();
  if (file) {
    await connection.sendMessage(new Message({ text: fs.readFileSync(file, "utf8") }));
  } else {
    await connection.close();
  }
}
