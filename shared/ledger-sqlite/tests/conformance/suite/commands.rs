//! What operators ask for.

use launchgate_engine::{CommandId, ports::Ledger};

use super::Factory;
use crate::a;

pub(crate) async fn commands_are_open_until_done(place: &mut impl Factory) {
    let ledger = place.ledger();
    let first = ledger.ask(a::replay(1, "model is stale")).await.unwrap();
    let second = ledger.ask(a::replay(2, "model is stale")).await.unwrap();

    let open: Vec<_> =
        ledger.open_commands(10).await.unwrap().into_iter().map(|command| command.id).collect();
    assert_eq!(open, [first, second]);
    assert_eq!(ledger.open_commands(1).await.unwrap()[0].command, a::replay(1, "model is stale"));

    ledger.command_done(first, "launched".into()).await.unwrap();

    assert_eq!(ledger.open_commands(10).await.unwrap().len(), 1);
    let done = ledger.command(first).await.unwrap().unwrap();
    assert_eq!(done.result.as_deref(), Some("launched"));
    assert!(done.asked <= ledger.command(second).await.unwrap().unwrap().asked);
    assert!(ledger.command(CommandId(99)).await.unwrap().is_none());
}

pub(crate) async fn the_same_command_again_is_one_while_open(place: &mut impl Factory) {
    let ledger = place.ledger();
    let first = ledger.ask(a::replay(1, "why")).await.unwrap();

    assert_eq!(ledger.ask(a::replay(1, "why")).await.unwrap(), first);
    assert_ne!(ledger.ask(a::replay(1, "another why")).await.unwrap(), first);
    ledger.command_done(first, "launched".into()).await.unwrap();
    assert_ne!(ledger.ask(a::replay(1, "why")).await.unwrap(), first);
}

pub(crate) async fn the_first_result_stays(place: &mut impl Factory) {
    let ledger = place.ledger();
    let id = ledger.ask(a::replay(1, "why")).await.unwrap();

    ledger.command_done(id, "launched".into()).await.unwrap();
    ledger.command_done(id, "something else".into()).await.unwrap();

    assert_eq!(ledger.command(id).await.unwrap().unwrap().result.as_deref(), Some("launched"));
    assert!(ledger.command_done(CommandId(99), String::new()).await.is_err());
}
