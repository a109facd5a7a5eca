//! What commands are told to be, by table.

use orch_protocol::turn::CommandKind::{self, Commit, Other, Test};
use orch_rollout::command::{command_kind, exit_code_vouches};

const KINDS: &[(CommandKind, &[&str])] = &[
    (
        Test,
        &[
            "cargo test",
            "cargo +nightly test --workspace -- --nocapture",
            "cargo -q t",
            "cargo nextest run -p core",
            "cd core && RUST_BACKTRACE=1 cargo test 2>&1 | tail -20",
            "timeout 60 cargo test",
            "timeout -k 5 60s cargo test",
            "bash -lc 'cd x; cargo test'",
            "out=$(cargo test 2>&1); echo \"$out\"",
            "for i in 1 2 3; do cargo test; done",
            "if cargo test; then echo ok; fi",
            "(cd a && cargo test)",
            "cargo test > log 2>&1 &",
            "pytest -q tests/",
            "PYTHONPATH=src python3 -m unittest discover -s tests",
            "python3.12 -m pytest",
            "uv run pytest",
            "uv run --with x pytest",
            "poetry run python -m pytest -x",
            "coverage run -m pytest",
            "./venv/bin/pytest",
            "python manage.py test app",
            "tox -e py312",
            "nox",
            "npm test",
            "npm t",
            "npm run test:unit -- --watch=false",
            "npm --prefix web run test",
            "pnpm --filter @a/b test -- src/x.test.ts",
            "pnpm --filter web exec vitest run a.test.ts",
            "yarn jest src",
            "yarn workspace web test",
            "bun test",
            "npx -y vitest run",
            "npx jest@29 --ci",
            "npx playwright test --grep 'a b'",
            "WORKERS=1 pnpm exec playwright test e2e/x.spec.ts",
            "nohup zsh -lc 'pnpm exec playwright test' >/tmp/log 2>&1 & echo $!",
            "go test ./...",
            "gotestsum -- ./...",
            "mvn -q -Dtest=Foo test",
            "./mvnw verify",
            "./gradlew :app:testDebugUnitTest",
            "gradle check",
            "make test",
            "make -C build -j 4 check",
            "just test",
            "ctest --output-on-failure",
            "bundle exec rspec spec/models",
            "rake spec",
            "vendor/bin/phpunit",
            "php artisan test",
            "dotnet test --no-build",
            "swift test --filter X",
            "rtk swift test",
            "xcodebuild -scheme App test",
            "mix test",
            "deno test -A",
            "zig build test",
            "cat <<'EOF' > f\ntext\nEOF\ncargo test",
            "sh test.sh",
            "./test.sh",
            "./tests/run.sh",
            "bash -e tests/run.sh --fast",
            "sh scripts/run-tests",
            "cd x && sh ./test-all.sh",
        ],
    ),
    (
        Commit,
        &[
            "git commit -m x",
            "git add -A && git commit -qm 'a; b'",
            "git -C dir commit --amend --no-edit",
            "git -c user.name='A B' -c user.email=a@b commit -m x",
            "/usr/bin/git commit",
            "cargo test && git commit -m 'tests pass'",
            "sudo -u me git commit -m x",
            "git commit -m \"$(cat <<'EOF'\nfix: it's (done)\nEOF\n)\"",
        ],
    ),
    (
        Other,
        &[
            "",
            "ls",
            "grep -rn \"cargo test\" .",
            "rg 'git commit'",
            "echo cargo test",
            "echo 'run; cargo test'",
            "git commit-tree HEAD^{tree}",
            "git log --grep commit",
            "git log commit",
            "git commit --dry-run",
            "git show # git commit",
            "cat <<EOF > run.sh\ncargo test\ngit commit -m x\nEOF",
            "cat tests/test_a.py",
            "ls test",
            "cargo build --tests",
            "cargo test --no-run",
            "cargo check",
            "pytest --version",
            "pytest --collect-only",
            "vitest list",
            "npm install jest",
            "npm run build",
            "pnpm add -D vitest",
            "sed -n 1,20p vitest.config.ts",
            "mvn -DskipTests verify",
            "gradle build -x test",
            "make",
            "go vet ./...",
            "swift build",
            "playwright install",
            "test -f x && cat x",
            "[ -d test ]",
            "bash scripts/auto-commit.sh",
            "sh run.sh",
            "sh testing.sh",
            "./deploy.sh test",
            "sh",
            "cat test.sh",
            "sh test.sh --help",
            "$(",
            "'",
            "`",
        ],
    ),
];

#[test]
fn commands_are_told_by_the_programs_they_run() {
    let mut wrong = Vec::new();
    for (expected, commands) in KINDS {
        for command in *commands {
            let kind = command_kind(command);
            if kind != *expected {
                wrong.push(format!("{command:?} is {kind:?} instead of {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_exit_code_vouches_only_for_what_it_is_the_code_of() {
    for command in [
        "cargo test",
        "cd x; cargo test",
        "cargo test && git commit -m x",
        "cargo fmt; cargo test 2>&1",
        "set -o pipefail; cargo test | tail",
        "set -eu; cargo test; echo done",
        "bash -lc 'cargo test && npm test'",
        "cargo test\n",
        "ls",
        "cd x; make -j2 && echo built",
        "make 2>&1 > log",
        "rg -n foo src | head -50; sed -n 1,20p a.rs",
        "git -C x log | head",
        "echo a; git commit -m x",
        "cargo build && git commit -qm x && git rev-parse HEAD",
        "cat <<'EOF' > f\ncargo test | tail\nEOF",
    ] {
        assert!(exit_code_vouches(command), "{command}");
    }
    for command in [
        "",
        "make | tail",
        "make; echo done",
        "make; ls",
        "make || true",
        "sed -i s/a/b/ f | cat",
        "git push | tail",
        "make &",
        "bash -c 'make; true'",
        "git commit -m x; git status",
        "cargo test | tail; git commit -m x",
        "cargo test | tail -5",
        "cargo test; echo done",
        "cargo test || true",
        "cargo test &",
        "x=$(cargo test)",
        "bash -lc 'cargo test | tail'",
        "cargo test; npm test",
    ] {
        assert!(!exit_code_vouches(command), "{command}");
    }
}
