//! What can be found, and what was.

use casque_visitor::shown;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mark {
    /// As it should be.
    Ok,
    /// It works, and may not for long or not for everybody.
    Caution,
    /// Somebody cannot log in, or somebody can who should not.
    Problem,
    /// Not looked at; the words say why.
    Skipped,
}

impl Mark {
    /// The word for it in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Caution => "caution",
            Self::Problem => "problem",
            Self::Skipped => "skipped",
        }
    }
}

/// What a finding is about, in the order in which it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Group {
    /// What the application is told.
    Settings,
    /// Names, ports, whether anybody answers.
    Network,
    /// Certificates.
    Tls,
    /// The time.
    Clock,
    /// The endpoints of the CAS server.
    Server,
    /// Whether the CAS server knows the application.
    Service,
    /// A login, a ticket, its validation.
    Login,
    /// A running application.
    Application,
    /// The way of single logout.
    Logout,
}

impl Group {
    /// The word for it in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Network => "network",
            Self::Tls => "tls",
            Self::Clock => "clock",
            Self::Server => "server",
            Self::Service => "service",
            Self::Login => "login",
            Self::Application => "application",
            Self::Logout => "logout",
        }
    }
}

macro_rules! kinds {
    ($($variant:ident $name:literal $group:ident $mark:ident $why:literal;)*) => {
        /// What can be wrong. The documentation of each says why it matters.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Kind { $(#[doc = $why] $variant,)* }

        impl Kind {
            /// Every kind, in the order of the book.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in reports and in the book.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it is about.
            pub fn group(self) -> Group {
                match self { $(Self::$variant => Group::$group,)* }
            }

            /// How bad it is.
            pub fn mark(self) -> Mark {
                match self { $(Self::$variant => Mark::$mark,)* }
            }

            /// Why it matters.
            pub fn why(self) -> &'static str {
                match self { $(Self::$variant => $why,)* }
            }
        }
    };
}

kinds! {
    SettingMissing "setting-missing" Settings Problem
        "An application needs the address of its CAS server and its own; without them it does not start.";
    SettingUnusable "setting-unusable" Settings Problem
        "The application refuses to start with it.";
    SettingsTwoOrigins "settings-two-origins" Settings Problem
        "A CAS server accepts a ticket only for the service that it was issued for, and these settings name two.";
    SettingsDisagree "settings-disagree" Settings Problem
        "What works with one of them says nothing about the other.";
    ServiceNotCanonical "service-not-canonical" Settings Caution
        "Some CAS servers compare services letter by letter, and browsers rewrite such an address.";

    NameUnknown "name-unknown" Network Problem
        "A name without an address cannot be reached by anybody.";
    PortClosed "port-closed" Network Problem
        "The machine is there, and nothing listens at that port.";
    Unreachable "unreachable" Network Problem
        "No connection comes about: an application waits for its timeout at every login, and then shows an error.";
    HttpsToHttpPort "https-to-http-port" Network Problem
        "TLS was spoken to a port that speaks plain http, so every connection fails.";
    HttpToHttpsPort "http-to-https-port" Network Problem
        "Plain http was spoken to a port that speaks TLS, so every request fails.";
    NoAnswer "no-answer" Network Problem
        "Connections are taken and requests are not answered, so a login ends in a timeout.";

    CertificateUnknownIssuer "certificate-unknown-issuer" Tls Problem
        "Nobody whom this machine trusts vouches for the server, so an application refuses to ask it.";
    CertificateSelfSigned "certificate-self-signed" Tls Problem
        "The server vouches for itself, which anybody between here and there can do as well.";
    CertificateExpired "certificate-expired" Tls Problem
        "Every connection is refused, by browsers and by applications.";
    CertificateNotYetValid "certificate-not-yet-valid" Tls Problem
        "Every connection is refused until then; often it is the local clock that is wrong.";
    CertificateWrongName "certificate-wrong-name" Tls Problem
        "The certificate is somebody else's, so it does not prove that this is the server that was meant.";
    CertificateEndsSoon "certificate-ends-soon" Tls Caution
        "When it ends, every login ends with it.";
    TlsFailed "tls-failed" Tls Problem
        "Without an agreement about TLS nothing can be asked.";
    PlainHttp "plain-http" Tls Problem
        "Anybody on the way can read the password, and answer that somebody is somebody else; casque refuses it beyond loopback.";

    ClockSkew "clock-skew" Clock Caution
        "SAML 1.1 assertions are refused when the clocks differ by more than 5 seconds.";
    ClockWrong "clock-wrong" Clock Problem
        "With clocks so far apart, certificates and SAML assertions seem not yet valid or expired, and logs cannot be compared.";

    CasElsewhere "cas-elsewhere" Server Problem
        "Below the base URL that was given there are no endpoints, so logins end on a page that does not exist.";
    CasRedirects "cas-redirects" Server Problem
        "casque follows no redirect when it validates a ticket: whoever can redirect could say who the user is.";
    CasNotFound "cas-not-found" Server Problem
        "Without a login page and an endpoint for validation there is no CAS server.";
    LoginPageMissing "login-page-missing" Server Problem
        "Tickets can be validated, but browsers that are sent to log in find nothing.";
    ValidationMissing "validation-missing" Server Problem
        "People can log in, but no ticket can be validated, so every login ends in an error.";
    Cas3Missing "cas3-missing" Server Problem
        "casque validates by CAS 3 unless it is told otherwise, and here every ticket would be refused.";
    EndpointFails "endpoint-fails" Server Problem
        "An error of the server is no answer: logins end in an error page.";
    EndpointNotCas "endpoint-not-cas" Server Problem
        "What cannot be read as an answer of CAS names no user; often a proxy, a firewall or a portal answers instead.";
    ToleranceNeeded "tolerance-needed" Server Problem
        "The answers break the schema in a way that casque reads only where it is allowed by name.";
    MadeUpTicketAccepted "made-up-ticket-accepted" Server Problem
        "Whoever makes up a ticket is logged in.";
    ContentTypeOdd "content-type-odd" Server Caution
        "casque reads the body whatever it is called; other clients, proxies and firewalls may not.";

    ServiceRefused "service-refused" Service Problem
        "The CAS server gives tickets only to applications that it knows.";
    ServiceRegisteredOtherwise "service-registered-otherwise" Service Problem
        "The CAS server knows the application by another address, and compares it exactly.";

    LoginFormMissing "login-form-missing" Login Caution
        "What comes after the login could not be looked at from here.";
    PasswordRefused "password-refused" Login Problem
        "Nobody is logged in, so nothing after it can be looked at.";
    TicketMissing "ticket-missing" Login Problem
        "Logging in works, but the browser does not come back to the application with a ticket.";
    TicketRefused "ticket-refused" Login Problem
        "The ticket that the CAS server has just given is not good for the application.";
    AttributesMissing "attributes-missing" Login Problem
        "An application that shows a name or decides by a group has only the user name to go by.";
    TicketReusable "ticket-reusable" Login Problem
        "Whoever finds a used ticket in a log or a history is logged in with it.";

    AppFails "app-fails" Application Problem
        "People see an error before they are asked to log in.";
    AppNoLogin "app-no-login" Application Problem
        "Nobody is sent to the CAS server, so nobody can log in by it.";
    AppOtherCas "app-other-cas" Application Problem
        "People are sent to another CAS server than the one that was looked at.";
    AppServiceDiffers "app-service-differs" Application Problem
        "After the login the browser is sent to an address that is not the one it came from, where its cookies are not.";
    AppBelievesHeaders "app-believes-headers" Application Problem
        "Whoever sends the header decides for whom tickets are issued, and can have them sent to a server of their own.";
    AppLoginFails "app-login-fails" Application Problem
        "The CAS server does its part, and the application does not let the person in.";
    CookieScriptReadable "cookie-script-readable" Application Problem
        "One script from elsewhere, and the session is stolen.";
    CookieInsecure "cookie-insecure" Application Problem
        "The cookie goes over plain http as well, where anybody on the way can read it.";
    CookieSameSite "cookie-same-site" Application Caution
        "Without SameSite=Lax other sites act in the person's name, and with Strict the browser comes back from the CAS server without it.";
    CookieDomain "cookie-domain" Application Caution
        "Every host below that domain can read the session, and plant one.";

    LogoutNotReceived "logout-not-received" Logout Problem
        "Whoever logs out at the CAS server stays logged in at the application.";
    LogoutUnchecked "logout-unchecked" Logout Caution
        "No CAS server sends such a message, so what answers it with success does not read it.";
    LogoutUnreachable "logout-unreachable" Logout Caution
        "The CAS server sends the messages of single logout to the service's address, which leads to itself or nowhere from there.";
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    group: Group,
    mark: Mark,
    kind: Option<Kind>,
    seen: String,
    fix: String,
}

impl Finding {
    /// Something is wrong: what was seen, and what to do.
    pub(crate) fn new(kind: Kind, seen: impl AsRef<str>, fix: impl AsRef<str>) -> Self {
        Self {
            group: kind.group(),
            mark: kind.mark(),
            kind: Some(kind),
            seen: shown(seen.as_ref(), MOST_BYTES),
            fix: shown(fix.as_ref(), MOST_BYTES),
        }
    }

    pub(crate) fn good(group: Group, seen: impl AsRef<str>) -> Self {
        Self::plain(group, Mark::Ok, seen.as_ref())
    }

    pub(crate) fn skipped(group: Group, why: impl AsRef<str>) -> Self {
        Self::plain(group, Mark::Skipped, why.as_ref())
    }

    fn plain(group: Group, mark: Mark, seen: &str) -> Self {
        Self {
            group,
            mark,
            kind: None,
            seen: shown(seen, MOST_BYTES),
            fix: String::new(),
        }
    }

    /// What it is about.
    pub fn group(&self) -> Group {
        self.group
    }

    /// How bad it is.
    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// What is wrong; `None` where nothing is.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// What was seen, on one line and without secrets (S-017).
    pub fn seen(&self) -> &str {
        &self.seen
    }

    /// Why it matters; empty where nothing is wrong.
    pub fn why(&self) -> &'static str {
        self.kind.map_or("", Kind::why)
    }

    /// What to do; empty where nothing is wrong.
    pub fn fix(&self) -> &str {
        &self.fix
    }
}

const MOST_BYTES: usize = 600;
