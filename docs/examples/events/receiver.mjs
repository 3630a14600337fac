// Receives events of Usher: verifies, answers at once, drops repeated ones. npm install standardwebhooks
import http from 'node:http'
import { Webhook } from 'standardwebhooks'

const webhook = new Webhook(process.env.SECRET) // whsec_…
const seen = new Set() // ids: in a real service a table, kept for a week

const server = http.createServer(async (request, response) => {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  const body = Buffer.concat(chunks).toString()
  let event
  try {
    event = webhook.verify(body, request.headers)
  } catch {
    response.writeHead(400).end()
    return
  }
  response.writeHead(204).end() // the work comes after the answer: here it is one line
  const id = request.headers['webhook-id']
  if (seen.has(id)) return
  seen.add(id)
  console.log(`event ${id} ${event.type} ${event.data.account_id} ${event.data.seq}`)
})
const [host, port] = (process.env.LISTEN ?? '127.0.0.1:3000').split(':')
server.listen(Number(port), host, () => console.log(`listening on ${host}:${server.address().port}.`))
