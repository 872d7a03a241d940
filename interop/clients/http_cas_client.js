// An application on http-cas-client, for Node. See README.md for what it answers.
'use strict';

const http = require('node:http');
const path = require('node:path');

// Its installation is beside the build, as Python's is.
const modules = path.join(__dirname, '../../target/node/node_modules');
const httpCasClient = require(path.join(modules, 'http-cas-client'));
const { parseXML } = require(path.join(modules, 'http-cas-client/src/utils'));
const { version } = require(path.join(modules, 'http-cas-client/package.json'));

const { CAS_URL, CAS_PROTOCOL, APP_URL, APP_PORT, APP_CALLBACK } = process.env;

const client = options => httpCasClient({
	cas: Number(CAS_PROTOCOL.slice('CAS '.length)),
	casServerUrlPrefix: CAS_URL,
	serverName: APP_URL,
	client: options,
});
const plain = client({});
const gateway = client({ gateway: true });
const renew = client({ renew: true });
const proxy = client({ proxy: { callbackUrl: APP_CALLBACK, receptorUrl: '/callback' } });

function answer(response, status, value) {
	response.statusCode = status;
	response.setHeader('Content-Type', 'application/json');
	response.end(JSON.stringify(value));
}

// The library sends a proxy ticket itself; here it is to be looked at.
async function proxyTicket(ticket, target) {
	const url = new URL(`${CAS_URL}/proxy`);
	url.searchParams.set('pgt', ticket.pgt);
	url.searchParams.set('targetService', target);
	const { proxySuccess } = await parseXML(await (await fetch(url)).text());
	return proxySuccess[0].proxyTicket[0];
}

async function serve(request, response) {
	const url = new URL(request.url, APP_URL);
	if (url.pathname === '/logout') {
		// The library has no logout of its own: its documentation links to the server's.
		response.setHeader('Location', `${CAS_URL}/logout`);
		response.statusCode = 302;
		return response.end();
	}
	const handler = { '/gateway': gateway, '/renew': renew, '/proxy': proxy, '/callback': proxy }[url.pathname] || plain;
	if (!await handler(request, response)) {
		// It says 403 where the gateway knows nobody.
		if (url.pathname === '/gateway' && response.statusCode === 403) {
			return answer(response, 200, { user: null, attributes: {} });
		}
		return response.end();
	}
	if (url.pathname === '/proxy') {
		return answer(response, 200, { ticket: await proxyTicket(request.ticket, url.searchParams.get('target')) });
	}
	answer(response, 200, { user: request.principal.user, attributes: request.principal.attributes || {} });
}

http.createServer((request, response) => {
	serve(request, response).catch(error => answer(response, 403, { error: String(error) }));
}).listen(Number(APP_PORT), '127.0.0.1', () => {
	console.log(JSON.stringify({ version }));
});
process.stdin.resume().on('end', () => process.exit(0));
