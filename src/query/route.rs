//! Where a key is answered: a pure decision over one routing table and the roles of this instance's replicas.

use crate::query::snapshot::{Instance, Role, RoutingTable};
use crate::types::{TaskId, partition_of};

/// What a query accepts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Consistency {
    /// The active task only.
    #[default]
    Strong,
    /// Any replica that has reached the asked position.
    Bounded,
    /// Any replica.
    Any,
}

impl Consistency {
    /// The word in the query string.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strong => "strong",
            Self::Bounded => "bounded",
            Self::Any => "any",
        }
    }
}

/// Where to read.
#[derive(Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// This instance's replica of the task.
    Here(TaskId),
    /// Other instances, best first, never empty; each has an endpoint.
    There(Vec<&'a Instance>),
    /// Nobody, now.
    Unavailable(Reason),
}

/// Why a key cannot be read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The first assignment has not been handled, or partition counts are not known yet.
    Starting,
    /// The table names no owner.
    NoOwner,
    /// This instance owns the task and still restores it.
    Restoring,
    /// This instance owns the task and has not opened it yet, or has let it go.
    Moving,
    /// The owner serves no HTTP.
    NoEndpoint,
}

/// The task that owns `key` in a view of `subtopology` with `partitions`; `None` until the count is known.
pub fn task_of(subtopology: u32, partitions: i32, key: &[u8]) -> Option<TaskId> {
    (partitions > 0).then(|| TaskId::new(subtopology, partition_of(key, partitions)))
}

/// Chooses the replica of `task`; `local` is the role of this instance's replica, if it can be read.
///
/// Order: active here, then (unless `Strong`) standby here, the owner, other standbys, and last a replica that still
/// restores here: it may lack rows that all others have.
pub fn route<'a>(table: &'a RoutingTable, task: TaskId, local: Option<Role>, asked: Consistency) -> Route<'a> {
    let owner = table.owner(task);
    let owned_here = owner.is_some_and(|owner| table.is_this(owner));
    let stale_allowed = asked != Consistency::Strong;
    match local {
        Some(Role::Active) if owned_here => return Route::Here(task),
        Some(Role::Active | Role::Standby) if stale_allowed => return Route::Here(task),
        Some(_) | None => {}
    }
    let others = others(table, task, stale_allowed);
    if !others.is_empty() {
        return Route::There(others);
    }
    if local.is_some() && stale_allowed {
        return Route::Here(task);
    }
    Route::Unavailable(match owner {
        None if table.version == 0 => Reason::Starting,
        None => Reason::NoOwner,
        Some(_) if !owned_here => Reason::NoEndpoint,
        Some(_) if local == Some(Role::Restoring) => Reason::Restoring,
        Some(_) => Reason::Moving,
    })
}

fn others(table: &RoutingTable, task: TaskId, stale_allowed: bool) -> Vec<&Instance> {
    let standbys = table.standbys(task).filter(|_| stale_allowed);
    let reachable = |instance: &&Instance| instance.endpoint.is_some() && !table.is_this(instance);
    table.owner(task).into_iter().chain(standbys).filter(reachable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: TaskId = TaskId::new(1, 3);

    fn table(owner: Option<usize>, standbys: &[usize]) -> RoutingTable {
        let instance =
            |id: &str, endpoint: Option<&str>| Instance { id: id.into(), endpoint: endpoint.map(Into::into) };
        let mut table = RoutingTable::alone(instance("a", Some("a:1")));
        table.version = 7;
        table.instances.extend([instance("b", Some("b:1")), instance("c", Some("c:1")), instance("mute", None)]);
        table.active.extend(owner.map(|owner| (TASK, owner)));
        table.standbys.insert(TASK, standbys.to_vec());
        table
    }

    fn decided(owner: Option<usize>, standbys: &[usize], local: Option<Role>, asked: Consistency) -> String {
        match route(&table(owner, standbys), TASK, local, asked) {
            Route::Here(task) => format!("here {task}"),
            Route::There(instances) => {
                let ids: Vec<_> = instances.iter().map(|instance| instance.id.as_str()).collect();
                format!("there {}", ids.join(" "))
            }
            Route::Unavailable(reason) => format!("unavailable {reason:?}"),
        }
    }

    #[test]
    fn the_table_of_routes() {
        use Consistency::{Any, Bounded, Strong};
        use Role::{Active, Restoring, Standby};
        // Instances: 0 = here, 1 = b, 2 = c, 3 = mute (no endpoint), 9 = not in the table.
        type Case<'a> = (Option<usize>, &'a [usize], Option<Role>, Consistency, &'a str);
        let rows: [Case<'_>; 26] = [
            (Some(0), &[], Some(Active), Strong, "here 1_3"),
            (Some(0), &[], Some(Active), Bounded, "here 1_3"),
            (Some(0), &[], Some(Active), Any, "here 1_3"),
            (Some(0), &[1], Some(Restoring), Strong, "unavailable Restoring"),
            (Some(0), &[1], Some(Restoring), Bounded, "there b"),
            (Some(0), &[], Some(Restoring), Any, "here 1_3"),
            (Some(0), &[1, 2], Some(Restoring), Any, "there b c"),
            (Some(0), &[], None, Strong, "unavailable Moving"),
            (Some(0), &[1], None, Strong, "unavailable Moving"),
            (Some(0), &[1], None, Any, "there b"),
            (Some(0), &[], Some(Standby), Strong, "unavailable Moving"),
            (Some(0), &[], Some(Standby), Any, "here 1_3"),
            (Some(1), &[], None, Strong, "there b"),
            (Some(1), &[2], None, Strong, "there b"),
            (Some(1), &[2], None, Any, "there b c"),
            (Some(1), &[0], Some(Standby), Strong, "there b"),
            (Some(1), &[0], Some(Standby), Bounded, "here 1_3"),
            (Some(1), &[0, 2], Some(Restoring), Any, "there b c"),
            // The old owner still runs it while the table names the new one: only the new one is strong.
            (Some(1), &[], Some(Active), Strong, "there b"),
            (Some(1), &[], Some(Active), Any, "here 1_3"),
            (Some(3), &[], None, Strong, "unavailable NoEndpoint"),
            (Some(3), &[2], None, Strong, "unavailable NoEndpoint"),
            (Some(3), &[2], None, Any, "there c"),
            (None, &[], None, Strong, "unavailable NoOwner"),
            (None, &[], Some(Active), Strong, "unavailable NoOwner"),
            (Some(9), &[9, 1], None, Any, "there b"),
        ];
        for (owner, standbys, local, asked, expected) in rows {
            assert_eq!(
                decided(owner, standbys, local, asked),
                expected,
                "owner {owner:?}, standbys {standbys:?}, local {local:?}, {asked:?}"
            );
        }
    }

    #[test]
    fn before_the_first_assignment_nothing_is_routed() {
        let table = RoutingTable::alone(Instance { id: "a".into(), endpoint: None });
        assert_eq!(route(&table, TASK, None, Consistency::Any), Route::Unavailable(Reason::Starting));
        assert_eq!(task_of(1, 0, b"k"), None);
    }

    #[test]
    fn a_key_belongs_to_the_partition_that_java_writes_it_to() {
        // murmur2("21") = -973932308 in Kafka's own test table.
        assert_eq!(task_of(4, 12, b"21"), Some(TaskId::new(4, (-973_932_308_i32 & 0x7fff_ffff) % 12)));
    }
}
