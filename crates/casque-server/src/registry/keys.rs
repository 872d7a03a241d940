//! The keys of a service.

use super::LogoutType;
use crate::config::{Default, Key, Kind};

pub(crate) const REFERENCE_INTRODUCTION: &str = "## A service\n\n\
    One file of its own for each service in the folder `services`, ending in `.toml`. It has an `id` and exactly one \
    of `origin`, `url` and `regex`. A service that no file lets in is refused; with no files everybody is. Where \
    several let an address in, the one with the lowest `order` counts, even if it is disabled; among those the \
    narrowest: an exact URL, then an origin with the longest `path_prefix`, then an origin, then an origin with `*.`, \
    then a regex; among equals the first by file name. Files that end in `.json` are service definitions of an Apereo \
    CAS server: see [Move from Apereo CAS](../apereo-services.md).\n\n\
    ```toml\nid = \"app\"\nname = \"Course catalogue\"\norigin = \"https://app.example.org\"\n\
    attributes = [\"mail\", \"memberOf\"]\n```\n\n";

/// The keys of a service.
pub(crate) const KEYS: &[Key] = &[
    Key {
        name: "id",
        kind: Kind::Text,
        default: Default::Required,
        example: "\"app\"",
        meaning: "What names the service in logs: letters, digits, `-`, `_` and `.`, once in the folder.",
    },
    Key {
        name: "name",
        kind: Kind::Text,
        default: Default::Nothing("the pages show the `id`"),
        example: "\"Course catalogue\"",
        meaning: "What people know it as; shown on the login page.",
    },
    Key {
        name: "description",
        kind: Kind::Text,
        default: Default::Nothing("the pages show no more than name and host"),
        example: "\"Find and book your courses.\"",
        meaning: "A sentence about it; shown on the login page.",
    },
    Key {
        name: "origin",
        kind: Kind::Text,
        default: Default::Nothing("`url` or `regex` says which addresses it has"),
        example: "\"https://app.example.org\"",
        meaning: "Scheme, host and port of its addresses. `https://*.example.org` lets in any one label in place of \
                  the star.",
    },
    Key {
        name: "path_prefix",
        kind: Kind::Text,
        default: Default::Nothing("every path of the origin"),
        example: "\"/w/\"",
        meaning: "With `origin`: the path that its addresses begin with. `/w` lets in `/w` and `/w/page`, never \
                  `/wiki`.",
    },
    Key {
        name: "url",
        kind: Kind::Text,
        default: Default::Nothing("`origin` or `regex` says which addresses it has"),
        example: "\"https://app.example.org/cas/callback\"",
        meaning: "Its one address; a query may follow.",
    },
    Key {
        name: "regex",
        kind: Kind::Text,
        default: Default::Nothing("`origin` or `url` says which addresses it has"),
        example: "'https://app[0-9]\\.example\\.org/cas/[a-z]+'",
        meaning: "The second choice: a regular expression that matches the whole address up to its query. It is \
                  refused if it lets in any other host.",
    },
    Key {
        name: "allow_http",
        kind: Kind::Flag,
        default: Default::Is("false"),
        example: "true",
        meaning: "Lets in plain http, too. For development.",
    },
    Key {
        name: "any_port",
        kind: Kind::Flag,
        default: Default::Is("false"),
        example: "true",
        meaning: "With `origin` or `url`: lets in every port. For development.",
    },
    Key {
        name: "query",
        kind: Kind::Flag,
        default: Default::Is("true"),
        example: "false",
        meaning: "`false` refuses addresses with a query.",
    },
    Key {
        name: "enabled",
        kind: Kind::Flag,
        default: Default::Is("true"),
        example: "false",
        meaning: "`false` keeps the file and refuses the service, also where another one would let its addresses in.",
    },
    Key {
        name: "order",
        kind: Kind::Count {
            least: 0,
            most: 1_000_000,
            unit: "",
        },
        default: Default::Is("0"),
        example: "10",
        meaning: "Which services are asked first where several let an address in: those with the lowest number.",
    },
    Key {
        name: "expires",
        kind: Kind::Text,
        default: Default::Nothing("never"),
        example: "\"2027-12-31T00:00:00Z\"",
        meaning: "From when on the service is refused like a disabled one.",
    },
    Key {
        name: "attributes",
        kind: Kind::NamesOrAll,
        default: Default::Is("[]"),
        example: "[\"mail\", \"memberOf\"]",
        meaning: "What the service is told about a person besides the name. `\"all\"` is everything, also what is \
                  added later.",
    },
    Key {
        name: "rename",
        kind: Kind::Lists,
        default: Default::Nothing("attributes keep their names"),
        example: "{ mail = [\"email\"] }",
        meaning: "Attributes that the service is told under other names, one or more each; they need not be in `attributes`.",
    },
    Key {
        name: "user_attribute",
        kind: Kind::Text,
        default: Default::Nothing("the name that people sign in with"),
        example: "\"uid\"",
        meaning: "The attribute whose first value the service is told as the user name. Who has none is named as they sign in; whoever \
                  has a blank one is refused.",
    },
    Key {
        name: "user_case",
        kind: Kind::Word(&["kept", "upper", "lower"]),
        default: Default::Is("\"kept\""),
        example: "\"lower\"",
        meaning: "The letters of that name: as they are, or all in upper or lower case.",
    },
    Key {
        name: "sso",
        kind: Kind::Flag,
        default: Default::Is("true"),
        example: "false",
        meaning: "`false` asks for the password at every login to this service.",
    },
    Key {
        name: "consent",
        kind: Kind::Flag,
        default: Default::Is("false"),
        example: "true",
        meaning: "`true` asks people before the service is told about them: once, until it is told more than they \
                  agreed to, they take it back, or a year has passed.",
    },
    Key {
        name: "require",
        kind: Kind::Lists,
        default: Default::Nothing("everybody may use it"),
        example: "{ memberOf = [\"staff\", \"admin\"] }",
        meaning: "Who may use the service: those who have, for every attribute named, one of its values. Others are \
                  shown a page that says so.",
    },
    Key {
        name: "require_regex",
        kind: Kind::Lists,
        default: Default::Nothing("`require` alone counts"),
        example: "{ memberOf = ['admin-[a-z]+'] }",
        meaning: "The same with regular expressions, each of which matches a whole value. An attribute may be named in \
                  both; either will do.",
    },
    Key {
        name: "require_any",
        kind: Kind::Flag,
        default: Default::Is("false"),
        example: "true",
        meaning: "`true` admits those who satisfy one of the attributes required instead of all.",
    },
    Key {
        name: "reject",
        kind: Kind::Lists,
        default: Default::Nothing("nobody is refused for what they have"),
        example: "{ status = [\"left\"] }",
        meaning: "Who may not use the service all the same: those who have one of these values of one of these attributes.",
    },
    Key {
        name: "reject_regex",
        kind: Kind::Lists,
        default: Default::Nothing("`reject` alone counts"),
        example: "{ status = ['left-.*'] }",
        meaning: "The same with regular expressions, each of which matches a whole value.",
    },
    Key {
        name: "refused_url",
        kind: Kind::Text,
        default: Default::Nothing("a page of this server"),
        example: "\"https://app.example.org/no-access\"",
        meaning: "Where those are sent who may not use the service.",
    },
    Key {
        name: "response_type",
        kind: Kind::Word(&["redirect", "post", "header"]),
        default: Default::Is("\"redirect\""),
        example: "\"post\"",
        meaning: "How tickets reach the service, unless its request says so with `method`: in the address, in a form \
                  that the browser posts, or in the headers `service` and `ticket` of an answer to a program.",
    },
    Key {
        name: "logout_type",
        kind: Kind::Word(LogoutType::NAMES),
        default: Default::Is("\"back_channel\""),
        example: "\"front_channel\"",
        meaning: "How the service is told when a person signs out: by a message from this server, by the person's \
                  browser from the page that says so (for a service that this server cannot reach; where no such page \
                  is shown, by a message after all), or not at all.",
    },
    Key {
        name: "logout_url",
        kind: Kind::Text,
        default: Default::Nothing("the address that the person signed in to"),
        example: "\"https://app.example.org/cas/logout\"",
        meaning: "Where the service is told so.",
    },
    Key {
        name: "proxy.callbacks",
        kind: Kind::Texts,
        default: Default::Is("[]"),
        example: "[\"https://app.example.org/cas/pgt\"]",
        meaning: "Lets the service act as a proxy: ask other services in a person's name. These are the callbacks \
                  (`pgtUrl`) that may receive its proxy-granting tickets, https only: one address, whatever its query; \
                  a path that ends in `/`, and everything below; or an origin, and everything there.",
    },
    Key {
        name: "proxy.query",
        kind: Kind::Flag,
        default: Default::Is("true"),
        example: "false",
        meaning: "`false` refuses callbacks with a query.",
    },
    Key {
        name: "proxy.private",
        kind: Kind::Flag,
        default: Default::Is("false"),
        example: "true",
        meaning: "Hosts of those callbacks may be in a private network (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, \
                  100.64.0.0/10, fc00::/7). Loopback, link-local and metadata addresses are never called.",
    },
    Key {
        name: "proxy.loopback",
        kind: Kind::Flag,
        default: Default::Is("false"),
        example: "true",
        meaning: "Any callback on this machine will do (localhost, 127.0.0.1, [::1]), by http too. For development.",
    },
];
