'use strict'

// npm's cas-server as bench/peers runs it. Its own registries are not on npm, so tickets and sessions are in memory: the
// plugins below keep them in maps, which is the least that its documentation asks of a plugin.

const { randomUUID } = require('crypto')
const { argon2Verify } = require('hash-wasm')

const SESSION = 8 * 3600 * 1000
const TICKET = 10 * 1000
const people = JSON.parse(process.env.PEERS_PEOPLE_HASHED)
const service = { name: 'app', url: process.env.PEERS_SERVICE, comment: null }
const secret = process.env.PEERS_SECRET

function held (map, id) {
  const ticket = map.get(id)
  return ticket ? Promise.resolve(ticket) : Promise.reject(new Error('no such ticket'))
}

function ticketRegistry () {
  const tgts = new Map()
  const sts = new Map()
  const tidy = setInterval(() => {
    const now = new Date()
    for (const map of [tgts, sts]) {
      for (const [id, ticket] of map) if (ticket.expires < now) map.delete(id)
    }
  }, 5000)
  const make = (map, prefix, expires, more) => {
    const ticket = { tid: `${prefix}-${randomUUID()}`, created: new Date(), expires, valid: true, ...more }
    map.set(ticket.tid, ticket)
    return Promise.resolve(ticket)
  }
  const invalidate = (map, id) => held(map, id).then((ticket) => Object.assign(ticket, { valid: false }))
  return {
    genTGT: (userId, expires) => make(tgts, 'TGT', expires, { userId, services: [] }),
    genST: (tgtId, expires, serviceId) => make(sts, 'ST', expires, { tgtId, serviceId }),
    invalidateTGT: (id) => invalidate(tgts, id),
    invalidateST: (id) => invalidate(sts, id),
    getTGT: (id) => held(tgts, id),
    getST: (id) => held(sts, id),
    getSTbyTGT: (id) => Promise.resolve([...sts.values()].filter((st) => st.tgtId === id)),
    getTGTbyST: (id) => held(sts, id).then((st) => held(tgts, st.tgtId)),
    trackServiceLogin: (st, tgt, url) => held(tgts, tgt.tid).then((kept) => {
      kept.services.push({ serviceId: st.serviceId, logoutUrl: url })
      return kept
    }),
    servicesLogForTGT: (id) => held(tgts, id).then((tgt) => tgt.services),
    close: () => Promise.resolve(clearInterval(tidy))
  }
}

const serviceRegistry = {
  getServiceWithName: (name) => name === service.name ? Promise.resolve(service) : Promise.reject(new Error('no service')),
  getServiceWithUrl: (url) => url === service.url ? Promise.resolve(service) : Promise.reject(new Error('no service')),
  close: () => {}
}

const auth = {
  validate: (username, password) => people[username]
    ? argon2Verify({ password, hash: people[username] })
    : Promise.reject(new Error('nobody of that name'))
}

module.exports = {
  opbeat: false,
  server: {
    connection: { address: '127.0.0.1', port: Number(process.env.PEERS_PORT) },
    // What it comes with, with more room: it refuses sessions beyond 100 MB.
    catbox: { moduleName: 'catbox-memory', moduleConfig: { maxByteSize: 4 * 1024 * 1024 * 1024 } },
    tgcName: 'TGC-JSCAS',
    state: {
      ttl: SESSION,
      isSecure: false,
      isHttpOnly: true,
      path: '/',
      encoding: 'iron',
      password: secret,
      strictHeader: false
    },
    use303: true,
    session: {
      cookie: { isSecure: false, isHttpOnly: true },
      expiresIn: SESSION,
      key: secret,
      name: 'casjs',
      cache: { segment: 'jscas-session', expiresIn: SESSION }
    }
  },
  tickets: { ticketGrantingTicketTTL: SESSION, serviceTicketTTL: TICKET },
  pino: { name: 'jscas-server', level: 'info', prettyPrint: false },
  dataSources: { mongoose: false, postgres: false },
  loginCSRF: { ttl: 60 * 1000, password: secret },
  plugins: {
    auth: [{ name: 'people', plugin: () => auth }],
    ticketRegistry: { name: 'tickets', plugin: ticketRegistry },
    serviceRegistry: { name: 'services', plugin: () => serviceRegistry },
    theme: require('cas-server-theme'),
    misc: []
  },
  pluginsConf: {}
}
