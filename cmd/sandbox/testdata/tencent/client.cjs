// Sends a message with the vendor's own SDK: node client.cjs HOST:PORT SECRET-ID SECRET-KEY APP NUMBER
const http = require("node:http");
const { sms } = require("tencentcloud-sdk-nodejs-sms");

const [address, secretId, secretKey, app, number] = process.argv.slice(2);
// The SDK takes the name of the product from the endpoint, so the endpoint begins with sms.
const [host, port] = address.split(":");
const lookup = (name, options, done) => options.all ? done(null, [{ address: host, family: 4 }]) : done(null, host, 4);
const open = (secretKey) => new sms.v20210111.Client({
  credential: { secretId, secretKey },
  region: "ap-guangzhou",
  profile: { httpProfile: { endpoint: `sms.localhost:${port}`, protocol: "http://", agent: new http.Agent({ lookup }) } },
});
const message = {
  PhoneNumberSet: [number], SmsSdkAppId: app, SignName: "腾讯云", TemplateId: "71390001", TemplateParamSet: ["012345", "5"],
};
(async () => {
  const { SendStatusSet } = await open(secretKey).SendSms(message);
  console.log("sent:", SendStatusSet[0].Code);
  await open("wrong").SendSms(message).catch((refused) => console.log("wrong key:", refused.code));
})();
