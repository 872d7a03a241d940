//! The endpoints of a CAS server.

/// A path below the base URL of a CAS server (CAS specification §2, R-237).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// `login`: pages for browsers.
    Login,
    /// `logout`: pages for browsers.
    Logout,
    /// `validate`: CAS 1, plain text.
    Validate,
    /// `serviceValidate`: CAS 2.
    ServiceValidate,
    /// `proxyValidate`: CAS 2, proxied access too.
    ProxyValidate,
    /// `p3/serviceValidate`: CAS 3, with attributes.
    P3ServiceValidate,
    /// `p3/proxyValidate`: CAS 3, with attributes, proxied access too.
    P3ProxyValidate,
    /// `samlValidate`: SAML 1.1.
    SamlValidate,
    /// `proxy`: proxy tickets.
    Proxy,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Self; 9] = [
        Self::Login,
        Self::Logout,
        Self::Validate,
        Self::ServiceValidate,
        Self::ProxyValidate,
        Self::P3ServiceValidate,
        Self::P3ProxyValidate,
        Self::SamlValidate,
        Self::Proxy,
    ];

    /// The path below the base URL, without a leading slash.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Logout => "logout",
            Self::Validate => "validate",
            Self::ServiceValidate => "serviceValidate",
            Self::ProxyValidate => "proxyValidate",
            Self::P3ServiceValidate => "p3/serviceValidate",
            Self::P3ProxyValidate => "p3/proxyValidate",
            Self::SamlValidate => "samlValidate",
            Self::Proxy => "proxy",
        }
    }

    /// The endpoint of that path, with or without a leading slash. Paths are case-sensitive.
    ///
    /// ```
    /// # use casque_proto::Endpoint;
    /// assert_eq!(Endpoint::from_path("/p3/serviceValidate"), Some(Endpoint::P3ServiceValidate));
    /// assert_eq!(Endpoint::from_path("servicevalidate"), None);
    /// ```
    pub fn from_path(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/').unwrap_or(path);
        Self::ALL
            .into_iter()
            .find(|endpoint| endpoint.path() == path)
    }

    /// Whether a ticket is validated there by GET: CAS 1, 2 and 3, but not SAML.
    pub const fn validates_by_get(self) -> bool {
        matches!(
            self,
            Self::Validate
                | Self::ServiceValidate
                | Self::ProxyValidate
                | Self::P3ServiceValidate
                | Self::P3ProxyValidate
        )
    }

    /// Whether proxied access is accepted there (R-099).
    pub const fn accepts_proxied(self) -> bool {
        matches!(self, Self::ProxyValidate | Self::P3ProxyValidate)
    }
}
