//! What the driver asks git for a state: where its tasks are judged, and what became of its branches.

use orch_core::contexts::{self, Branches};
use orch_core::judge::{Here, Stand, claimed_commits};
use orch_core::state::State;
use orch_protocol::git::CommitSummary;

use crate::driver::Driver;
use crate::git::GitError;
use crate::ports::{Asked, Judged};

impl Driver<'_> {
    /// Where tasks are judged: what HEAD reaches of the commits that claims name, and of `also`.
    pub async fn here(
        &self,
        state: &State,
        stand: Option<&Stand>,
        also: &[CommitSummary],
    ) -> Result<Here, GitError> {
        let judged = self.judged(state, stand, also).await?;
        Ok(Here::at(stand, judged.reachable))
    }

    pub(super) async fn judged(
        &self,
        state: &State,
        stand: Option<&Stand>,
        also: &[CommitSummary],
    ) -> Result<Judged, GitError> {
        if stand.is_none() {
            return Ok(Judged::default());
        }
        // A branch that is gone may have been squashed, or be back.
        let archived = state.project.archived.values();
        let live = state.project.branches.values();
        let heads = archived
            .map(|archived| &archived.context)
            .chain(live)
            .filter_map(|context| context.snapshot.as_ref()?.head.commit().cloned())
            .chain(also.iter().map(|commit| commit.id.clone()))
            .collect();
        let claimed = claimed_commits(state);
        let rewrites = state.project.rewrites.clone();
        self.git
            .judge(Asked {
                claimed,
                heads,
                rewrites,
            })
            .await
    }

    /// What became of the branches that the state knows of.
    pub(super) async fn branches(&self, state: &State) -> Result<Branches, GitError> {
        self.git.branches(contexts::asked(state)).await
    }
}
