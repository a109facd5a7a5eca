//! What somebody asks for between runs: a change of the backlog, an edit by hand taken in, an operation undone. Each reads
//! no more of the state than it needs, and is durable when it returns; folding is the caller's.

use orch_core::command::{Asker, Named, Reads, Refusal, TaskCommand};
use orch_core::state::State;
use orch_core::supervisor::{HandEdit, Input, Supervisor};
use orch_core::undo;
use orch_protocol::ids::TaskId;

use super::{Driver, DriverError, Turn};
use crate::ports::{Backlog, Wanted};
use crate::store::StoreError;
use crate::store::history::Versions;
use crate::store::words::Operation;

impl Driver<'_> {
    /// Changes the backlog for a person or the main agent. Durable and visible to all when this returns; whoever asked is
    /// answered first, and the store folded then.
    pub async fn command(
        &mut self,
        asker: Asker,
        command: TaskCommand,
    ) -> Result<Result<Vec<Named>, Refusal>, DriverError> {
        let state = self.read(command.reads()).await?;
        let log = self.store.log_id().clone();
        let mut supervisor = Supervisor::new(state, log, self.limits);
        let asker = Asker {
            nonce: supervisor.nonce(),
            now: self.not_before_seen(asker.now),
            ..asker
        };
        let mut turn = Turn::default();
        let input = Input::Command {
            asker: Box::new(asker),
            command: Box::new(command),
        };
        self.drive(&mut supervisor, input, &mut turn).await?;
        Ok(turn.answer.unwrap_or(Err(Refusal::Nothing)))
    }

    async fn read(&mut self, reads: Reads) -> Result<State, StoreError> {
        let (backlog, names) = match reads {
            Reads::Named(names) if names.is_empty() => (Backlog::Untouched, Vec::new()),
            Reads::Named(names) => (Backlog::Of(names), Vec::new()),
            Reads::All(names) => (Backlog::Outline, names),
            Reads::Whole => (Backlog::Whole, Vec::new()),
        };
        let mut state = self.store.load(&Wanted::backlog(backlog)).await?;
        let is_missing = |name: &String| {
            let mut from = state.tasks.range(TaskId::new(name.as_str())..);
            from.next()
                .is_none_or(|(id, _)| !id.as_str().starts_with(name.as_str()))
        };
        let missing: Vec<String> = names.into_iter().filter(is_missing).collect();
        if !missing.is_empty() {
            // An outline holds no archive: what isn't in the backlog may be there.
            let wanted = Wanted::backlog(Backlog::Of(missing));
            let archive = self.store.load(&wanted).await?.archive.into_iter();
            let archive = archive.filter(|(id, _)| !state.tasks.contains_key(id));
            state.archive = archive.collect();
        }
        Ok(state)
    }

    /// Records what an edit by hand of the checkout comes to. Durable when this returns; what was changed is told.
    pub async fn hand_edit(
        &mut self,
        asker: Asker,
        edit: HandEdit,
    ) -> Result<Vec<Named>, DriverError> {
        let mut supervisor = self.loaded(&[]).await?;
        let asker = Asker {
            now: self.not_before_seen(asker.now),
            ..asker
        };
        let mut turn = Turn::default();
        let input = Input::HandEdit {
            asker: Box::new(asker),
            edit: Box::new(edit),
        };
        self.drive(&mut supervisor, input, &mut turn).await?;
        Ok(turn.answer.and_then(Result::ok).unwrap_or_default())
    }

    /// Takes back what an operation changed; later changes of other things stay. Tells whether there was anything to take
    /// back.
    pub async fn undo(
        &mut self,
        asker: Asker,
        operation: &Operation,
        versions: Versions,
    ) -> Result<bool, DriverError> {
        let Versions {
            before,
            after,
            backlog,
        } = versions;
        let state = self.store.load(&Wanted::backlog(backlog)).await?;
        let asker = Asker {
            now: self.not_before_seen(asker.now),
            ..asker
        };
        let events = undo::facts(&before, &after, &state);
        if events.is_empty() {
            return Ok(false);
        }
        let log = self.store.log_id().clone();
        let mut supervisor = Supervisor::new(state, log, self.limits);
        let input = Input::Undo {
            asker: Box::new(asker),
            operation: operation.id.clone(),
            what: operation.what.clone(),
            events,
        };
        self.drive(&mut supervisor, input, &mut Turn::default())
            .await?;
        Ok(true)
    }
}
