//! One table: every error code there is, and some that are none, as the answer to each request of a member. The
//! reactions are those of Kafka's `AbstractCoordinator` and `ConsumerCoordinator`, except that a code they do not expect
//! stops no member: it is repeated.

use kafka_protocol::error::ResponseError;

use super::*;
use crate::group::commit;

/// Reactions by the request that was refused, one letter each:
/// - `a`: again after a wait, nothing is lost;
/// - `c`: find the coordinator, nothing is lost;
/// - `r`: rejoin with the tasks;
/// - `g`: the generation is over, lose the tasks and join with the same id;
/// - `i`: the identity is void, lose the tasks and join as a new member;
/// - `s`: another has the instance id, lose the tasks and stop;
/// - `f`: lose the tasks and stop with the code;
/// - `d`: the commit is given up, the member goes on;
/// - `e`: the member has left.
const TABLE: &[(&[i16], &str)] = &[
    // FindCoordinator, JoinGroup, SyncGroup, Heartbeat, LeaveGroup, OffsetCommit, OffsetFetch
    (&[7], "aaaaeca"),
    (&[12, 28], "aaaaeda"),
    (&[15, 16], "accceca"),
    (&[22], "agggega"),
    (&[23, 24, 26, 29, 30, 35, 81], "ffffeff"),
    (&[25, 69], "aiiieia"),
    (&[27], "aaarera"),
    (&[82], "asssesa"),
];
const OTHERS: &str = "aaaaeaa";
const APIS: [Api; 7] = [
    Api::FindCoordinator,
    Api::JoinGroup,
    Api::SyncGroup,
    Api::Heartbeat,
    Api::LeaveGroup,
    Api::OffsetCommit,
    Api::OffsetFetch,
];

/// A member with task 0, right after its request.
fn asked(api: Api) -> (Script, Attempt) {
    let mut script = Script::new(config());
    script.drain();
    if api == Api::FindCoordinator {
        let find = script.find;
        return (script, find);
    }
    let mut script = Script::stable(config(), &[0]);
    match api {
        Api::JoinGroup => drop(script.heartbeat(code(27))),
        Api::SyncGroup => {
            script.heartbeat(code(27));
            script.joined("m1", 2);
        }
        Api::Heartbeat => {
            script.wait(3_000);
            let heartbeat = script.heartbeat;
            return (script, heartbeat);
        }
        Api::LeaveGroup => drop(script.event(Event::LeaveRequested)),
        Api::FindCoordinator | Api::OffsetCommit | Api::OffsetFetch => {}
    }
    let group = script.group;
    (script, group)
}

/// What the member does in the 2 s after the answer.
fn done(api: Api, refusal: &Refusal) -> Vec<String> {
    let (mut script, attempt) = asked(api);
    let event = match (api, refusal) {
        (Api::OffsetCommit, Refusal::Code(code)) => Event::CommitRefused { generation: 1, code: *code },
        _ => Event::Reply { attempt, result: Err(refusal.clone()) },
    };
    let mut lines = script.event(event);
    lines.extend(script.wait(2_000));
    lines
}

/// What a reaction looks like.
fn lines(api: Api, reaction: char, refusal: &Refusal) -> Vec<String> {
    let joins = matches!(api, Api::JoinGroup | Api::SyncGroup);
    let describe = if api == Api::SyncGroup { "describe [0] 2" } else { "describe [0] 1" };
    let stop = match refusal {
        Refusal::Code(code) => format!("stop: the group coordinator refused {}: {code}", api.name()),
        Refusal::Disconnected(_) => String::new(),
    };
    let all = match reaction {
        'a' if api == Api::FindCoordinator => vec!["find"],
        'a' if joins => vec![describe, "join 'm1'"],
        'a' | 'd' => vec![],
        'c' if joins => vec![describe, "find"],
        'c' => vec!["find"],
        'r' => vec![describe, "join 'm1'"],
        'g' => vec!["lose [0]", "describe [] -1", "join 'm1'"],
        'i' => vec!["lose [0]", "describe [] -1", "join ''"],
        's' => vec!["lose [0]", FENCED],
        'f' if api == Api::FindCoordinator => vec![&*stop],
        'f' => vec!["lose [0]", &stop],
        'e' => vec!["stop: left the group"],
        other => panic!("{other} is no reaction"),
    };
    all.into_iter().map(str::to_owned).collect()
}

/// What becomes of the commit itself.
fn refusal_of_commit(reaction: char) -> commit::Refusal {
    match reaction {
        'i' | 's' => commit::Refusal::Fenced,
        'f' | 'd' => commit::Refusal::Fatal,
        _ => commit::Refusal::Retriable,
    }
}

fn check(code: i16, api: Api, expected: char) {
    let refusal = Refusal::Code(ErrorCode(code));
    if api == Api::OffsetFetch {
        // Asked by a stream thread, which repeats it for a while; the member has no part in it.
        let fatal = matches!(reaction(api, &refusal), Reaction::Fatal(_));
        return assert_eq!(fatal, expected == 'f', "OffsetFetch answered with {code}");
    }
    assert_eq!(done(api, &refusal), lines(api, expected, &refusal), "{} answered with {code}", api.name());
    if api == Api::OffsetCommit {
        assert_eq!(commit::Refusal::of_offsets(ErrorCode(code)), refusal_of_commit(expected), "commit, {code}");
    }
}

#[test]
fn every_code_of_every_request_has_its_reaction() {
    let known = |code: &i16| !matches!(ResponseError::try_from_code(*code), None | Some(ResponseError::Unknown(_)));
    let all: Vec<i16> = (-1..=300).filter(|code| *code != 0).chain([i16::MIN, -2, 999, i16::MAX]).collect();
    assert!(all.iter().filter(|code| known(code)).count() >= 120, "the codes of the codec crate");
    for code in all {
        let row = TABLE.iter().find(|(codes, _)| codes.contains(&code)).map_or(OTHERS, |(_, row)| row);
        assert_eq!(row.len(), APIS.len(), "{code}");
        APIS.into_iter().zip(row.chars()).for_each(|(api, expected)| check(code, api, expected));
    }
}

#[test]
fn no_answer_at_all_costs_no_task() {
    let refusal = Refusal::Disconnected("closed".to_owned());
    for (api, expected) in APIS.into_iter().zip("accce".chars()) {
        assert_eq!(done(api, &refusal), lines(api, expected, &refusal), "{}", api.name());
    }
}
