//! One line of the table "client × check", filled in by the checks.

use std::{collections::BTreeMap, path::Path};

use serde_json::json;

use crate::support::root;

/// What every client is put to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Check {
    Login,
    Attributes,
    WrongPassword,
    ForgedTicket,
    ReplayedTicket,
    Logout,
    SingleLogout,
    Gateway,
    Renew,
    Proxy,
}

impl Check {
    pub(crate) const ALL: [Self; 10] = [
        Self::Login,
        Self::Attributes,
        Self::WrongPassword,
        Self::ForgedTicket,
        Self::ReplayedTicket,
        Self::Logout,
        Self::SingleLogout,
        Self::Gateway,
        Self::Renew,
        Self::Proxy,
    ];

    fn heading(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Attributes => "attributes",
            Self::WrongPassword => "wrong password",
            Self::ForgedTicket => "forged ticket",
            Self::ReplayedTicket => "replayed ticket",
            Self::Logout => "logout",
            Self::SingleLogout => "single logout",
            Self::Gateway => "gateway",
            Self::Renew => "renew",
            Self::Proxy => "proxy",
        }
    }
}

/// How a check went. One that fails ends its test, so it has no place here.
#[derive(Debug, Clone, Copy)]
enum Cell {
    Passed,
    /// Why the client cannot be put to it.
    NotAvailable(&'static str),
}

/// The line of one client in one protocol.
#[derive(Debug)]
pub(crate) struct Row {
    client: &'static str,
    protocol: &'static str,
    version: String,
    cells: BTreeMap<Check, Cell>,
}

impl Row {
    pub(crate) fn new(client: &'static str, protocol: &'static str, version: String) -> Self {
        Self {
            client,
            protocol,
            version,
            cells: BTreeMap::new(),
        }
    }

    pub(crate) fn passed(&mut self, check: Check) {
        self.fill(check, Cell::Passed);
    }

    pub(crate) fn not_available(&mut self, check: Check, reason: &'static str) {
        self.fill(check, Cell::NotAvailable(reason));
    }

    fn fill(&mut self, check: Check, cell: Cell) {
        let before = self.cells.insert(check, cell);
        assert!(before.is_none(), "{check:?} is filled in twice");
    }

    /// Every cell is filled in, and the table says the same; where `interop/matrix` asks for it, the line is written.
    pub(crate) fn finish(self) {
        for check in Check::ALL {
            assert!(
                self.cells.contains_key(&check),
                "{}: {check:?} is missing",
                self.client
            );
        }
        if let Some(folder) = std::env::var_os("CASQUE_INTEROP_RESULTS") {
            self.write(Path::new(&folder));
        } else {
            self.compare();
        }
    }

    fn write(&self, folder: &Path) {
        let cells: Vec<_> = self
            .cells
            .iter()
            .map(|(check, cell)| {
                let reason = match cell {
                    Cell::Passed => None,
                    Cell::NotAvailable(reason) => Some(reason),
                };
                json!({"check": check.heading(), "reason": reason})
            })
            .collect();
        let row = json!({
            "client": self.client, "protocol": self.protocol, "version": self.version, "cells": cells,
        });
        let file = folder.join(format!("{} {}.json", self.client, self.protocol));
        std::fs::write(file, row.to_string()).expect("the line can be written");
    }

    /// The versions may be others on another machine.
    fn compare(&self) {
        let page = std::fs::read_to_string(root().join("docs/interop.md")).expect("the page");
        let cells: String = self
            .cells
            .values()
            .map(|cell| match cell {
                Cell::Passed => " pass |",
                Cell::NotAvailable(_) => " n/a |",
            })
            .collect();
        let (start, end) = (
            format!("| {} ", self.client),
            format!("| {} |{cells}", self.protocol),
        );
        assert!(
            page.lines()
                .any(|line| line.starts_with(&start) && line.ends_with(&end)),
            "docs/interop.md has no line `{start}… {end}`; interop/matrix writes it"
        );
        for (check, cell) in &self.cells {
            if let Cell::NotAvailable(reason) = cell {
                assert!(
                    page.contains(reason),
                    "docs/interop.md does not say of {check:?}: {reason}"
                );
            }
        }
    }
}
