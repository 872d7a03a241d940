//! Every key of `casque.toml`.

use std::time::Duration;

use super::keys::{Default, Key, Kind};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

pub(crate) const KEYS: &[Key] = &[
    Key {
        name: "base_url",
        kind: Kind::BaseUrl,
        default: Default::Required,
        example: "\"https://cas.example.edu/cas\"",
        meaning: "What browsers and applications call this server. It is never read from a request. https, or http on \
                  a loopback host such as `http://localhost:8080`.",
    },
    Key {
        name: "listen",
        kind: Kind::Socket,
        default: Default::Is("\"127.0.0.1:8443\""),
        example: "\"127.0.0.1:8443\"",
        meaning: "Where the server accepts connections. Port 0 takes a free one and says which. Without `[tls]` it \
                  speaks plain http: keep it on loopback behind a proxy that ends TLS.",
    },
    Key {
        name: "organisation",
        kind: Kind::Text,
        default: Default::Nothing("the pages say \"Single sign-on\""),
        example: "\"Example University\"",
        meaning: "Whose server it is, shown on every page.",
    },
    Key {
        name: "store",
        kind: Kind::Store,
        default: Default::Is("\"sqlite:casque.db\""),
        example: "\"sqlite:casque.db\"",
        meaning: "Where sessions and tickets are kept: `sqlite:PATH`, `redis://HOST`, `postgres://USER@HOST/DATABASE`, or \
                  `memory:`, which forgets them when the server ends. The chapter on stores has every option of these.",
    },
    Key {
        name: "secret_key",
        kind: Kind::Path,
        default: Default::Is("\"casque.key\""),
        example: "\"casque.key\"",
        meaning: "The key that tickets are hashed with before they are stored, 64 hexadecimal digits. It is made at the \
                  first start, readable by its owner only; a file that others can read is refused. Several servers on one \
                  store share it. `casque keys` changes it without signing anyone out; meanwhile the file has two lines.",
    },
    Key {
        name: "people",
        kind: Kind::Path,
        default: Default::Is("\"people.toml\""),
        example: "\"people.toml\"",
        meaning: "The file of people, kept with `casque user`. Changes hold at once, without a restart.",
    },
    Key {
        name: "services",
        kind: Kind::Path,
        default: Default::Is("\"services/\""),
        example: "\"services/\"",
        meaning: "The folder of services, one `.toml` file each. A service that is not in it is refused. Changes hold \
                  within seconds, without a restart.",
    },
    Key {
        name: "trusted_roots",
        kind: Kind::Path,
        default: Default::Nothing("the usual public roots"),
        example: "\"ca.pem\"",
        meaning: "Certificates (PEM) of further authorities that are trusted for calls to services, such as single \
                  logout and the callbacks of proxying.",
    },
    Key {
        name: "trusted_proxies",
        kind: Kind::Networks,
        default: Default::Is("[]"),
        example: "[\"127.0.0.1\", \"10.0.0.0/8\"]",
        meaning: "Proxies whose `X-Forwarded-For` is believed when failed logins are counted by network. From any \
                  other address the header is ignored.",
    },
    Key {
        name: "tls.certificate",
        kind: Kind::Path,
        default: Default::Nothing("plain http on `listen`"),
        example: "\"cas.pem\"",
        meaning: "The server's certificate chain (PEM). Another one is taken up within seconds, without a restart.",
    },
    Key {
        name: "tls.key",
        kind: Kind::Path,
        default: Default::Nothing("plain http on `listen`"),
        example: "\"cas.key\"",
        meaning: "The certificate's private key (PEM).",
    },
    Key {
        name: "login.max_failures",
        kind: Kind::Count {
            least: 1,
            most: 100,
            unit: "failures",
        },
        default: Default::Is("20"),
        example: "20",
        meaning: "Failed logins of one person within `login.window`, from wherever; after that every attempt is \
                  refused without looking at the password until the window has moved on.",
    },
    Key {
        name: "login.max_failures_per_network",
        kind: Kind::Count {
            least: 1,
            most: 100_000,
            unit: "failures",
        },
        default: Default::Is("200"),
        example: "200",
        meaning: "The same for one network (an IPv4 /24, an IPv6 /64), for whomever. Leave room for a campus behind \
                  one address.",
    },
    Key {
        name: "login.window",
        kind: Kind::Duration {
            least: MINUTE,
            most: DAY,
        },
        default: Default::Is("\"15 min\""),
        example: "\"15 min\"",
        meaning: "How long a failed login counts.",
    },
    Key {
        name: "login.form_lifetime",
        kind: Kind::Duration {
            least: MINUTE,
            most: DAY,
        },
        default: Default::Is("\"1 h\""),
        example: "\"1 h\"",
        meaning: "How long a login page may stay open before its form is refused and drawn anew.",
    },
    Key {
        name: "passwords.workers",
        kind: Kind::Count {
            least: 1,
            most: 256,
            unit: "threads",
        },
        default: Default::Nothing("the number of processors"),
        example: "2",
        meaning: "Passwords checked at the same time. Each takes the memory of one hash (19 MiB by default).",
    },
    Key {
        name: "passwords.queue",
        kind: Kind::Count {
            least: 1,
            most: 10_000,
            unit: "logins",
        },
        default: Default::Is("64"),
        example: "64",
        meaning: "Logins that may wait for a worker; further ones are answered 503.",
    },
    Key {
        name: "passwords.memory_kib",
        kind: Kind::Count {
            least: 19_456,
            most: 262_144,
            unit: "KiB",
        },
        default: Default::Is("19456"),
        example: "19456",
        meaning: "argon2id memory of the hashes that `casque user` makes. Existing hashes keep theirs.",
    },
    Key {
        name: "passwords.passes",
        kind: Kind::Count {
            least: 2,
            most: 16,
            unit: "passes",
        },
        default: Default::Is("2"),
        example: "2",
        meaning: "argon2id passes of the hashes that `casque user` makes.",
    },
    Key {
        name: "tickets.service_ticket_lifetime",
        kind: Kind::Duration {
            least: SECOND,
            most: Duration::from_mins(5),
        },
        default: Default::Is("\"10 s\""),
        example: "\"10 s\"",
        meaning: "How long a service ticket waits to be validated, once.",
    },
    Key {
        name: "tickets.proxy_ticket_lifetime",
        kind: Kind::Duration {
            least: SECOND,
            most: Duration::from_mins(5),
        },
        default: Default::Is("\"10 s\""),
        example: "\"10 s\"",
        meaning: "The same for a proxy ticket. Proxy-granting tickets end with the session.",
    },
    Key {
        name: "sso.absolute",
        kind: Kind::Duration {
            least: MINUTE,
            most: Duration::from_hours(30 * 24),
        },
        default: Default::Is("\"8 h\""),
        example: "\"8 h\"",
        meaning: "How long a single sign-on session lives at most.",
    },
    Key {
        name: "sso.idle",
        kind: Kind::Duration {
            least: MINUTE,
            most: Duration::from_hours(30 * 24),
        },
        default: Default::Is("\"2 h\""),
        example: "\"2 h\"",
        meaning: "How long it lives without being used. Not more than `sso.absolute`.",
    },
    Key {
        name: "sso.remember_me",
        kind: Kind::Flag,
        default: Default::Is("false"),
        example: "true",
        meaning: "Whether the login page offers to stay signed in when the browser is closed. Services are told so \
                  (`longTermAuthenticationRequestTokenUsed`).",
    },
    Key {
        name: "sso.remember_me_lifetime",
        kind: Kind::Duration {
            least: HOUR,
            most: Duration::from_hours(30 * 24),
        },
        default: Default::Is("\"14 d\""),
        example: "\"14 d\"",
        meaning: "How long such a session lives, used or not.",
    },
    Key {
        name: "rest.enabled",
        kind: Kind::Flag,
        default: Default::Is("false"),
        example: "true",
        meaning: "Whether programs may trade a user's password for tickets at `/v1/tickets` and `/v1/users`. Such a \
                  program sees the password, so turn it on only where one is needed that cannot open a browser.",
    },
    Key {
        name: "rest.clients",
        kind: Kind::Networks,
        default: Default::Nothing("every address"),
        example: "[\"10.1.2.3\", \"192.168.7.0/24\"]",
        meaning: "From where that may be done; others are answered 403. Behind a proxy, list it in `trusted_proxies`, or \
                  its own address is the only one that counts.",
    },
    Key {
        name: "apereo.ignore",
        kind: Kind::Texts,
        default: Default::Is("[]"),
        example: "[\"multifactorPolicy\"]",
        meaning: "Members of Apereo's service definitions that restrict access in a way that casque does not have, and \
                  that are left aside all the same: `authenticationPolicy`, `multifactorPolicy`, \
                  `singleSignOnParticipationPolicy`, `webflowInterruptPolicy` and the policies of ticket lifetimes. \
                  Without it a definition that has one ends the start.",
    },
    Key {
        name: "limits.connections",
        kind: Kind::Count {
            least: 16,
            most: 100_000,
            unit: "connections",
        },
        default: Default::Is("4096"),
        example: "4096",
        meaning: "Open connections; further ones wait to be accepted.",
    },
    Key {
        name: "limits.header_bytes",
        kind: Kind::Count {
            least: 8_192,
            most: 65_536,
            unit: "bytes",
        },
        default: Default::Is("32768"),
        example: "32768",
        meaning: "The head of a request.",
    },
    Key {
        name: "limits.body_bytes",
        kind: Kind::Count {
            least: 4_096,
            most: 1_048_576,
            unit: "bytes",
        },
        default: Default::Is("16384"),
        example: "16384",
        meaning: "The body of a request.",
    },
    Key {
        name: "limits.request_timeout",
        kind: Kind::Duration {
            least: SECOND,
            most: MINUTE,
        },
        default: Default::Is("\"10 s\""),
        example: "\"10 s\"",
        meaning: "How long a client may take to send the head of a request, and again its body.",
    },
    Key {
        name: "limits.shutdown",
        kind: Kind::Duration {
            least: SECOND,
            most: HOUR,
        },
        default: Default::Is("\"10 s\""),
        example: "\"10 s\"",
        meaning: "How long open requests may finish when the server is told to end.",
    },
    Key {
        name: "operation.listen",
        kind: Kind::Socket,
        default: Default::Nothing("none of them is answered"),
        example: "\"127.0.0.1:9090\"",
        meaning: "Where `/livez`, `/readyz` and `/metrics` are answered, in plain http: on loopback or in a network of \
                  your own, never where the public can reach it.",
    },
    Key {
        name: "operation.audit",
        kind: Kind::Text,
        default: Default::Nothing("no audit log is written"),
        example: "\"audit.jsonl\"",
        meaning: "The file that a line of JSON is added to for every login, ticket and logout, from the folder of this \
                  file; `-` is standard output. It is opened anew at SIGHUP.",
    },
    Key {
        name: "operation.drain",
        kind: Kind::Duration {
            least: Duration::ZERO,
            most: Duration::from_mins(10),
        },
        default: Default::Is("\"0 s\""),
        example: "\"15 s\"",
        meaning: "How long new connections are accepted after SIGTERM, while `/readyz` already fails: longer than what \
                  stands in front of several servers takes to notice.",
    },
];
