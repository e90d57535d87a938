//! What happens in a simulation besides faults: requests, Regions that do not answer, and the ends to reach.

use std::sync::atomic::Ordering;

use lifeboat_model::environment::Side;
use lifeboat_model::request::{
    BackupRequest, CancelRequest, PlanRequest, Request, RestoreRequest, RestoreState,
};
use lifeboat_model::{Code, RequestToken};

use crate::fixture::{Fixture, SHOP};
use crate::model::{Since, check_dead_recovery, check_delegates, check_end};
use crate::rng::START;

impl Fixture {
    fn next_token(&mut self) -> RequestToken {
        self.requests += 1;
        RequestToken::parse(format!("t-{}", self.requests)).unwrap()
    }

    fn restore_request(&self, application: usize, point: &str, token: RequestToken) -> Request {
        Request::Restore(RestoreRequest {
            application: self.applications[application].name.clone(),
            point: point.to_owned(),
            cluster: None,
            into: None,
            failover: false,
            expect_plan: None,
            options: serde_json::Map::new(),
            token: Some(token),
        })
    }

    pub(crate) fn ask(&mut self) {
        let token = self.next_token();
        let name = self.shop().name.clone();
        let request = match self.shared.below(7) {
            0 => Request::Backup(BackupRequest {
                application: name,
                token: Some(token),
            }),
            1 => {
                let number = self.shared.below(self.requests) + 1;
                let restore = RequestToken::parse(format!("t-{number}")).ok();
                Request::Cancel(CancelRequest {
                    application: name,
                    restore: restore.filter(|_| self.shared.once_in(2)),
                    token: Some(token),
                })
            }
            2 => Request::Plan(PlanRequest {
                application: name,
                point: "latest".to_owned(),
                cluster: None,
                into: None,
                options: serde_json::Map::new(),
                token: Some(token),
            }),
            _ => self.restore_request(SHOP, "latest", token),
        };
        // A user who gets no response repeats the request.
        for _ in 0..=self.shared.below(2) {
            self.start_coordinator(SHOP, vec![request.clone()]);
        }
    }

    /// Requests a restore of the latest recovery point.
    pub(crate) fn ask_restore(&mut self, application: usize) -> RequestToken {
        let token = self.next_token();
        let request = self.restore_request(application, "latest", token.clone());
        self.start_coordinator(application, vec![request]);
        token
    }

    pub(crate) fn run_chaos(&mut self) {
        let steps = if self.is_coarse() { 30 } else { 16 };
        for _ in 0..steps {
            if self.shared.once_in(8) {
                self.ask();
            }
            if self.shared.once_in(20) {
                let mut ledger = self.ledger.lock().unwrap();
                ledger.closed = !ledger.closed;
            }
            if self.shared.once_in(25) {
                self.shop().primary.toggle();
            }
            if self.shared.once_in(40) {
                self.recovery.toggle();
            }
            if !self.shop().private.is_empty() {
                self.change_private();
            }
            self.pass(self.step);
        }
    }

    /// Sometimes deploys the private delegates, and closes or opens public endpoints.
    fn change_private(&mut self) {
        if self.shared.once_in(6) {
            self.deploy_private();
        }
        if self.shared.once_in(12) {
            let private = self.shared.once_in(2);
            self.set_private(private);
        }
    }

    /// Runs with faults, then without; in the end all work must be complete. If the recovery environment does not
    /// answer when the faults end, backups go on nevertheless, until it does.
    pub(crate) fn run(mut self) {
        self.run_chaos();
        self.end_chaos();
        if self.recovery.is_dead() {
            self.ask_restore(SHOP);
            let since = Since::now(&self);
            self.run_calm();
            check_dead_recovery(&self, since);
            self.recovery.set_dead(false);
        }
        let since = Since::now(&self);
        self.run_calm();
        check_end(&self, since);
    }

    /// Runs with faults, in which clusters lose and get their public endpoints, and stacks of private delegates are
    /// deployed at some time; then without faults. In the end, each cluster is the work of the delegate that reaches it.
    pub(crate) fn run_private(mut self) {
        self.run_chaos();
        self.deploy_private();
        let private = !self.shared.once_in(4);
        self.set_private(private);
        self.end_chaos();
        self.recovery.set_dead(false);
        self.ask_restore(SHOP);
        let since = Since::now(&self);
        self.run_calm();
        self.ledger.lock().unwrap().worked.clear();
        let token = self.ask_restore(SHOP);
        self.run_calm();
        check_end(&self, since);
        assert_eq!(self.end_of_restore(SHOP, &token), Some(RestoreState::Done));
        check_delegates(&self, private);
    }

    fn end_chaos(&mut self) {
        self.shared.chaos.store(false, Ordering::Relaxed);
        self.ledger.lock().unwrap().closed = false;
        self.shop().primary.set_dead(false);
    }

    /// Runs until whatever the faults have begun is over.
    fn run_calm(&mut self) {
        let calm = if self.is_coarse() { self.step * 20 } else { 80 * 60 };
        let end = self.shared.seconds() + calm;
        while self.shared.seconds() < end {
            self.pass(self.step);
        }
    }

    /// Runs without faults, with each delegate started by its event, and returns the number of coordinator
    /// ticks until the first recovery point is in the vault.
    pub(crate) fn ticks_to_first_point(&mut self) -> u32 {
        self.shared.chaos.store(false, Ordering::Relaxed);
        for ticks in 1..10 {
            self.start_coordinator(SHOP, Vec::new());
            self.settle();
            if self
                .vault
                .contents()
                .keys()
                .any(|key| key.ends_with("/manifest.json"))
            {
                return ticks;
            }
            self.start_delegate(SHOP, Side::Primary, None);
            for _ in 0..15 {
                self.settle();
                self.advance(60);
            }
        }
        panic!("no point came into the vault since {START}");
    }

    /// Runs without other faults; returns the end of a restore that is requested when the primary Region no longer
    /// answers.
    pub(crate) fn restore_without_primary(&mut self) -> RestoreState {
        self.ticks_to_first_point();
        self.shop().primary.set_dead(true);
        self.restore(SHOP, "latest", "bad-day")
    }

    /// Requests a restore, and returns how it ends. Events of the recovery environment are delivered.
    pub(crate) fn restore(&mut self, application: usize, point: &str, token: &str) -> RestoreState {
        let token = RequestToken::parse(token).unwrap();
        let request = self.restore_request(application, point, token.clone());
        self.start_coordinator(application, vec![request]);
        for _ in 0..3000 {
            self.settle();
            self.advance(10);
            self.settle();
            if let Some(end) = self.end_of_restore(application, &token) {
                return end;
            }
            self.start_coordinator(application, Vec::new());
            self.start_delegate(application, Side::Recovery, None);
        }
        panic!(
            "the restore did not end: {:?}",
            self.state_of(application).restores
        );
    }

    fn end_of_restore(&self, application: usize, token: &RequestToken) -> Option<RestoreState> {
        let state = self.state_of(application);
        let mut runs = state.restores.iter().filter(|run| run.token == *token);
        runs.find_map(|run| run.end.as_ref().map(|end| end.state))
    }

    fn recovery_issue(&self, application: usize) -> bool {
        self.state_of(application).issues.values().any(|issue| {
            issue.code == Code::EnvironmentUnavailable
                && issue.id.as_str().contains(&self.recovery.id.to_string())
        })
    }

    /// Runs without other faults, with a recovery Region that does not answer for `hours`: backups go on, an issue
    /// says so until it answers, and a restore waits until then.
    pub(crate) fn backups_without_recovery(&mut self, hours: i64) {
        self.ticks_to_first_point();
        self.recovery.set_dead(true);
        let token = self.ask_restore(SHOP);
        let since = Since::now(self);
        let end = self.shared.seconds() + hours * 3600;
        while self.shared.seconds() < end {
            self.pass(self.step);
            assert!(
                self.recovery_issue(SHOP),
                "an issue says that the Region does not answer"
            );
            assert_eq!(self.end_of_restore(SHOP, &token), None, "the restore waits");
        }
        check_dead_recovery(self, since);
        self.recovery.set_dead(false);
        for _ in 0..6 {
            self.pass(self.step);
        }
        assert!(!self.recovery_issue(SHOP), "the issue is closed");
        assert_eq!(self.end_of_restore(SHOP, &token), Some(RestoreState::Done));
    }
}
