// The same with RudderStack's package, which sends gzip unless told not to.
import RudderAnalytics from '@rudderstack/rudder-sdk-node'

const [host, writeKey, count] = process.argv.slice(2)
const Client = RudderAnalytics.default ?? RudderAnalytics
const client = new Client(writeKey, { dataPlaneUrl: host, flushAt: 50, flushInterval: 100 })
const failed = (error) => {
  if (error) {
    console.error(error)
    process.exitCode = 1
  }
}
for (let n = 0; n < Number(count); n++) {
  client.track({ userId: `u${n % 7}`, event: 'Sent', properties: { n }, messageId: `rudder-node-${n}` }, failed)
}
client.identify({ userId: 'u1', traits: { plan: 'pro' } }, failed)
client.page({ anonymousId: 'a1', name: 'Home' }, failed)
client.screen({ anonymousId: 'a1', name: 'Start' }, failed)
client.group({ userId: 'u1', groupId: 'g1', traits: { size: 7 } }, failed)
client.alias({ userId: 'u1', previousId: 'a1' }, failed)
await client.flush()
