// Sends as any program does that uses the package; says what it could not deliver.
import { Analytics } from '@segment/analytics-node'

const [host, writeKey, count] = process.argv.slice(2)
const analytics = new Analytics({ writeKey, host, flushAt: 50, flushInterval: 100 })
analytics.on('error', (error) => {
  console.error(error)
  process.exitCode = 1
})
for (let n = 0; n < Number(count); n++) {
  analytics.track({ userId: `u${n % 7}`, event: 'Sent', properties: { n }, messageId: `segment-node-${n}` })
}
analytics.identify({ userId: 'u1', traits: { plan: 'pro' } })
analytics.page({ anonymousId: 'a1', name: 'Home' })
analytics.screen({ anonymousId: 'a1', name: 'Start' })
analytics.group({ userId: 'u1', groupId: 'g1', traits: { size: 7 } })
analytics.alias({ userId: 'u1', previousId: 'a1' })
await analytics.closeAndFlush({ timeout: 20_000 })
