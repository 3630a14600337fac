// Sends an SMS through the sandbox's Ronglian, with a fault and a pushed report, and a mail: docs/sandbox.md.
import { createHash } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import tls from "node:tls";

const base = process.env.SANDBOX_HTTP ?? "http://127.0.0.1:8083";
const [host, port] = (process.env.SANDBOX_SMTP ?? "127.0.0.1:1025").split(":");
const { ronglian, smtp } = await (await fetch(base + "/api/credentials")).json();
async function sendRonglian(number, code) {
  const stamp = new Date(Date.now() + 8 * 3600e3).toISOString().replace(/\D/g, "").slice(0, 14); // Beijing's time
  const sig = createHash("md5").update(ronglian.account_sid + ronglian.auth_token + stamp).digest("hex").toUpperCase();
  const path = `/ronglian/2013-12-26/Accounts/${ronglian.account_sid}/SMS/TemplateSMS?sig=${sig}`;
  const authorization = Buffer.from(ronglian.account_sid + ":" + stamp).toString("base64");
  const headers = { "Content-Type": "application/json", Accept: "application/json", Authorization: authorization };
  const body = JSON.stringify({ to: number, appId: ronglian.app_id, templateId: "71390001", datas: [code, "5"] });
  return (await (await fetch(base + path, { method: "POST", headers, body })).json()).statusCode;
}
const reported = new Promise((resolve) => { // the vendor pushes delivery reports as XML
  const server = http.createServer(async (request, response) => {
    const xml = (await request.toArray()).join("");
    response.end("<Response><statuscode>000000</statuscode></Response>");
    server.close(() => resolve(/<status>(.*)<\/status>/.exec(xml)[1]));
  }).listen(process.env.REPORT_PORT ?? 9000, "127.0.0.1");
});
await fetch(base + "/api/faults", { method: "PUT", body: JSON.stringify({ ronglian: { code: "160000", count: 1 } }) });
console.log("Ronglian with a fault:", await sendRonglian("13800138001", "012345"));
console.log("Ronglian:", await sendRonglian("13800138001", "012345"));
console.log("Report:", await reported); // 0 is delivered
let socket = net.connect(port, host); // a mail; packages such as nodemailer do the same
async function command(line) {
  if (line) socket.write(line + "\r\n");
  let reply = "";
  while (!/^\d{3} .*\r\n$/m.test(reply)) reply += (await once(socket, "data"))[0];
  if (reply >= "4") throw new Error(reply);
}
for (const line of ["", "EHLO localhost", "STARTTLS"]) await command(line);
socket = tls.connect({ socket, servername: "localhost", ca: await (await fetch(base + "/api/smtp-ca.pem")).text() });
const login = Buffer.from(`\0${smtp.username}\0${smtp.password}`).toString("base64");
const letter = "From: shop@example.com\r\nSubject: Hello\r\n\r\nYour code is 4712.\r\n.";
for (const line of ["EHLO localhost", "AUTH PLAIN " + login, "MAIL FROM:<shop@example.com>",
  "RCPT TO:<node@example.com>", "DATA", letter, "QUIT"]) await command(line);
console.log("Inbox:", (await (await fetch(base + "/api/messages?to=node@example.com")).json())[0].code);
