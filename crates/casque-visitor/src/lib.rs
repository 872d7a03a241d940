//! A person with a browser at a CAS server, whoever made it: cookies, redirects inside the server, and the login form.
//!
//! [`Visitor`] is the person, [`Agent`] the HTTP below: one request, one answer, and a [`Trace`] of both that can be shown to
//! anybody. [`forms`], [`complaint`] and [`title`] read as much of a page as a login needs. It runs no script, and it sends a
//! password to no other server than the one whose page asks for it.
//!
//! `casque conformance` grades servers with it, `casque login` logs in with it. It is no client of CAS: what the server
//! says to applications is the affair of `casque-client`.

mod agent;
mod cookies;
mod html;
mod visitor;

pub use agent::{Agent, Answer, Exchange, NoAnswer, Request, Trace, query_of, roots, shown};
pub use cookies::{Cookie, Jar};
pub use html::{Field, Form, complaint, forms, login_form, title};
pub use visitor::{Delivered, Reached, Visitor, leads_to, parameter};
