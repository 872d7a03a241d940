mod scripts;
mod server;
mod walk;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use redis::{Cmd, FromRedisValue, ScriptInvocation, cmd};

use self::{
    scripts::SCRIPTS,
    server::{Server, fault},
};
use crate::{
    Clock, Cursor, Key, Page, Store, StoreError, StoreFuture, hex::hex, instant::Nanos, link::Link,
    store::check_length, url::NetworkUrl,
};

/// A store in Redis or Valkey, which many processes and machines share.
///
/// A record is a string under `PREFIX:r:KIND:HASH`, its deadline in front; a set is a sorted set under `PREFIX:s:KIND:HASH`,
/// with deadlines as scores. Every operation is one command or one script, on one key, so that any layout of a cluster
/// will do. Each key also has a time to live, longer than its deadline by [`SLACK`]: whether something is live is judged
/// by [`Clock`] alone, and Redis only frees the space.
pub(crate) struct RedisStore {
    url: NetworkUrl,
    link: Link<Server>,
    clock: Arc<dyn Clock>,
}

/// How much longer than its deadline a key may stay: more than the clocks of two machines differ in a day.
const SLACK: Duration = Duration::from_mins(1);

/// How many keys one step of a sweep looks at.
const SCANNED: usize = 500;

impl RedisStore {
    /// Reads the files that the URL names. Does not connect.
    pub(crate) fn open(url: &NetworkUrl, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Ok(Self {
            link: Link::new(Server::new(url)?, url.connections, url.timeout),
            url: url.clone(),
            clock,
        })
    }

    fn record(&self, key: &Key) -> String {
        self.name("r", key)
    }

    fn set(&self, key: &Key) -> String {
        self.name("s", key)
    }

    fn name(&self, what: &str, key: &Key) -> String {
        let (space, digits) = (self.url.space.as_str(), hex(key.digest()));
        [space, ":", what, ":", key.kind(), ":", &digits].concat()
    }

    fn now(&self) -> Micros {
        self.clock.now().into()
    }

    /// Milliseconds until Redis may free the space.
    fn time_to_live(&self, deadline: SystemTime) -> u64 {
        let left = deadline
            .duration_since(self.clock.now())
            .unwrap_or_default();
        let left = left.saturating_add(SLACK).as_millis();
        // Redis takes what fits into i64 together with its own time; 200 years are enough.
        u64::try_from(left)
            .unwrap_or(u64::MAX)
            .min(200 * 365 * 86_400_000)
    }

    async fn ask<T: FromRedisValue + Send>(&self, command: Cmd) -> Result<T, StoreError> {
        self.link
            .call(|connection| async move {
                let answer = command.query_async(&mut connection.commands()).await;
                answer.map_err(|error| fault(&error, &connection))
            })
            .await
    }

    async fn run<T: FromRedisValue + Send>(
        &self,
        script: ScriptInvocation<'static>,
    ) -> Result<T, StoreError> {
        self.link
            .call(|connection| async move {
                let answer = script.invoke_async(&mut connection.commands()).await;
                answer.map_err(|error| fault(&error, &connection))
            })
            .await
    }

    /// What is live of an answer that has come just now.
    fn opened(&self, held: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(mut held) = held else {
            return Ok(None);
        };
        let deadline = Micros::read(&held).ok_or_else(|| {
            StoreError::unavailable(
                "Redis holds a record that is none of casque's",
                "no deadline",
            )
        })?;
        held.drain(..Micros::DIGITS);
        Ok((self.now() < deadline).then_some(held))
    }

    async fn sweep_some(&self, limit: usize) -> Result<usize, StoreError> {
        let pattern = format!("{}:[rs]:*", self.url.space);
        let (mut removed, mut cursor) = (0, 0_u64);
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(cursor)
                .arg("MATCH")
                .arg(&pattern)
                .arg("COUNT")
                .arg(SCANNED);
            let (next, names): (u64, Vec<Vec<u8>>) = self.ask(scan).await?;
            for name in names {
                if removed >= limit {
                    return Ok(removed);
                }
                let mut sweep = SCRIPTS.sweep.key(name);
                sweep.arg(self.now().text()).arg(limit - removed);
                removed += self.run::<usize>(sweep).await?;
            }
            if next == 0 {
                return Ok(removed);
            }
            cursor = next;
        }
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Store for RedisStore {
    fn create<'a>(
        &'a self,
        key: &'a Key,
        value: Vec<u8>,
        deadline: SystemTime,
    ) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            check_length(&value)?;
            let name = self.record(key);
            let held = Micros::from(deadline).in_front_of(&value);
            let life = self.time_to_live(deadline);
            let mut set = cmd("SET");
            set.arg(&name).arg(&held).arg("NX").arg("PX").arg(life);
            if self.ask::<Option<String>>(set).await?.is_some() {
                return Ok(true);
            }
            // Something has the name; rarely it has expired and is only not freed yet.
            let mut replace = SCRIPTS.replace.key(name);
            replace.arg(self.now().text()).arg(held).arg(life);
            self.run(replace).await
        })
    }

    fn get<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            let mut get = cmd("GET");
            get.arg(self.record(key));
            self.opened(self.ask(get).await?)
        })
    }

    fn touch<'a>(&'a self, key: &'a Key, deadline: SystemTime) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let mut touch = SCRIPTS.touch.key(self.record(key));
            touch
                .arg(self.now().text())
                .arg(Micros::from(deadline).text())
                .arg(self.time_to_live(deadline));
            self.run(touch).await
        })
    }

    fn take<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            let mut take = cmd("GETDEL");
            take.arg(self.record(key));
            self.opened(self.ask(take).await?)
        })
    }

    fn delete<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, bool> {
        Box::pin(async move { Ok(self.take(key).await?.is_some()) })
    }

    fn append<'a>(
        &'a self,
        key: &'a Key,
        member: Vec<u8>,
        deadline: SystemTime,
    ) -> StoreFuture<'a, usize> {
        Box::pin(async move {
            check_length(&member)?;
            let mut append = SCRIPTS.append.key(self.set(key));
            append
                .arg(self.now().text())
                .arg(Micros::from(deadline).text())
                .arg(self.time_to_live(deadline))
                .arg(member);
            self.run(append).await
        })
    }

    fn members<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Vec<Vec<u8>>> {
        Box::pin(async move {
            let mut range = cmd("ZRANGEBYSCORE");
            range
                .arg(self.set(key))
                .arg(self.now().behind())
                .arg("+inf");
            self.ask(range).await
        })
    }

    fn remove_members<'a>(
        &'a self,
        key: &'a Key,
        members: &'a [&'a [u8]],
    ) -> StoreFuture<'a, usize> {
        Box::pin(async move {
            let mut remove = SCRIPTS.remove_members.key(self.set(key));
            remove.arg(self.now().text());
            for member in members {
                remove.arg(*member);
            }
            self.run(remove).await
        })
    }

    fn take_members<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Vec<Vec<u8>>> {
        Box::pin(async move {
            let mut take = SCRIPTS.take_members.key(self.set(key));
            take.arg(self.now().text());
            self.run(take).await
        })
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, usize> {
        Box::pin(self.sweep_some(limit))
    }

    fn walk<'a>(
        &'a self,
        kind: Option<&'a str>,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Page> {
        Box::pin(self.page(kind, from, limit))
    }

    fn frees_space_itself(&self) -> bool {
        true
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.link
                .call(|connection| async move { self.link.backend().check(&connection).await })
                .await
        })
    }
}

/// A time as scripts and scores compare it: whole microseconds since 1970, rounded down, as far as a double is exact.
///
/// A time is before a deadline if and only if it is so in whole microseconds, where the deadline is one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Micros(u64);

impl Micros {
    const DIGITS: usize = 16;
    const MOST: u64 = (1 << 53) - 1;

    fn text(self) -> String {
        format!("{:016}", self.0)
    }

    /// All scores above it, as a range begins.
    fn behind(self) -> String {
        format!("({}", self.0)
    }

    fn in_front_of(self, value: &[u8]) -> Vec<u8> {
        [self.text().as_bytes(), value].concat()
    }

    fn read(held: &[u8]) -> Option<Self> {
        let digits = std::str::from_utf8(held.get(..Self::DIGITS)?).ok()?;
        digits.parse().ok().map(Self)
    }
}

impl From<Micros> for SystemTime {
    fn from(Micros(micros): Micros) -> Self {
        UNIX_EPOCH + Duration::from_micros(micros)
    }
}

impl From<SystemTime> for Micros {
    fn from(time: SystemTime) -> Self {
        let Nanos(nanos) = time.into();
        Self(u64::try_from(nanos / 1000).unwrap_or(0).min(Self::MOST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_sixteen_digits_and_saturate() {
        let micros = |time: SystemTime| Micros::from(time).text();
        assert_eq!(micros(UNIX_EPOCH), "0000000000000000");
        assert_eq!(micros(UNIX_EPOCH - SLACK), "0000000000000000");
        assert_eq!(
            micros(UNIX_EPOCH + Duration::from_nanos(1999)),
            "0000000000000001"
        );
        let years_300 = UNIX_EPOCH + Duration::from_hours(300 * 365 * 24);
        assert_eq!(micros(years_300), "9007199254740991");
        let held = Micros(12).in_front_of(b"value");
        assert!(Micros::read(&held) == Some(Micros(12)));
        assert!(Micros::read(b"123").is_none());
    }
}
