//! The operations that one command cannot do. Each works on the one key that it is given, and runs as a whole.
//!
//! Times are decimal texts of 16 digits, which a double holds exactly.

use std::sync::LazyLock;

use redis::Script;

pub(super) struct Scripts {
    pub(super) replace: Script,
    pub(super) touch: Script,
    pub(super) append: Script,
    pub(super) remove_members: Script,
    pub(super) take_members: Script,
    pub(super) sweep: Script,
    pub(super) schema: Script,
}

pub(super) static SCRIPTS: LazyLock<Scripts> = LazyLock::new(|| Scripts {
    replace: Script::new(REPLACE),
    touch: Script::new(TOUCH),
    append: Script::new(APPEND),
    remove_members: Script::new(REMOVE_MEMBERS),
    take_members: Script::new(TAKE_MEMBERS),
    sweep: Script::new(SWEEP),
    schema: Script::new(SCHEMA),
});

/// now, deadline and value, time to live
const REPLACE: &str = r"
local deadline = redis.call('GETRANGE', KEYS[1], 0, 15)
if deadline ~= '' and tonumber(ARGV[1]) < tonumber(deadline) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
";

/// now, deadline, time to live
const TOUCH: &str = r"
local deadline = redis.call('GETRANGE', KEYS[1], 0, 15)
if deadline == '' or tonumber(ARGV[1]) >= tonumber(deadline) then
  return 0
end
redis.call('SETRANGE', KEYS[1], 0, ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
";

/// now, deadline, time to live, member
const APPEND: &str = r"
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
if tonumber(ARGV[1]) < tonumber(ARGV[2]) then
  redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[4])
  if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
  end
end
return redis.call('ZCARD', KEYS[1])
";

/// now, members
const REMOVE_MEMBERS: &str = r"
local live = 0
for number = 2, #ARGV do
  local deadline = redis.call('ZSCORE', KEYS[1], ARGV[number])
  if deadline then
    redis.call('ZREM', KEYS[1], ARGV[number])
    if tonumber(ARGV[1]) < tonumber(deadline) then
      live = live + 1
    end
  end
end
return live
";

/// now
const TAKE_MEMBERS: &str = r"
local members = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf')
redis.call('UNLINK', KEYS[1])
return members
";

/// now, how many at most
const SWEEP: &str = r"
if redis.call('TYPE', KEYS[1]).ok == 'string' then
  if tonumber(ARGV[1]) < tonumber(redis.call('GETRANGE', KEYS[1], 0, 15)) then
    return 0
  end
  return redis.call('UNLINK', KEYS[1])
end
local members = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, member in ipairs(members) do
  redis.call('ZREM', KEYS[1], member)
end
return #members
";

/// our version, the oldest that reads it, time to live
///
/// An older note is replaced, a newer one stays.
const SCHEMA: &str = r"
local found = redis.call('GET', KEYS[1])
if found and (tonumber(string.match(found, '^%d+')) or 1e9) >= tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return found
end
found = ARGV[1] .. ' ' .. ARGV[2]
redis.call('SET', KEYS[1], found, 'PX', ARGV[3])
return found
";
