//! The finder on made-up layouts.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use orch_engine::error::EngineError;
use orch_engine::find::{Search, Source, find};
use orch_engine::platform::Platform;
use tempfile::TempDir;

use crate::support::{folder, script};

const PLATFORM: Platform = Platform::LinuxX64;

struct World {
    root: TempDir,
    search: Search,
}

impl World {
    fn new() -> Self {
        let root = folder();
        let own_exe = root.path().join("own/codex-orch");
        script(&own_exe, "# ourselves");
        let search = Search {
            flag: None,
            env: None,
            config: None,
            managed: Some(root.path().join("engine")),
            path: Some(root.path().join("bin").into()),
            own_exe,
            probing: false,
            platform: PLATFORM,
        };
        Self { root, search }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// A program at `path` that is no script.
    fn native(&self, path: &str) -> PathBuf {
        let path = self.at(path);
        script(&path, "");
        fs::write(&path, b"\x7fELF").unwrap();
        path
    }

    /// The native binary below the `node_modules` folder at `modules`.
    fn package(&self, modules: &str) -> PathBuf {
        let binary = Path::new(modules)
            .join(PLATFORM.package())
            .join(PLATFORM.binary());
        self.native(binary.to_str().unwrap())
    }

    /// The node launcher below `modules`, and `codex` in `bin` linking to it.
    fn launcher(&self, modules: &str) {
        let launcher = self.at(modules).join("@openai/codex/bin/codex.js");
        script(&launcher, "// node");
        self.link(&launcher, "bin/codex");
    }

    fn link(&self, to: &Path, at: &str) {
        let at = self.at(at);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        symlink(to, at).unwrap();
    }

    fn check(&self, expect: (Source, PathBuf)) {
        let found = find(&self.search).unwrap();
        assert_eq!((found.source, found.program), expect);
    }

    fn fails(&self) -> EngineError {
        find(&self.search).unwrap_err()
    }
}

#[test]
fn the_order_is_flag_env_config_managed_path() {
    let mut world = World::new();
    assert!(matches!(world.fails(), EngineError::NotFound));
    let path = world.native("bin/codex");
    world.check((Source::Path, path));
    let managed = world.package("engine/0.169.0/node_modules");
    world.check((Source::Managed, managed));
    let config = world.native("c");
    world.search.config = Some(config.clone());
    world.check((Source::Config, config));
    let env = world.native("e");
    world.search.env = Some(env.clone().into());
    world.check((Source::Env, env));
    let flag = world.native("f");
    world.search.flag = Some(flag.clone());
    world.check((Source::Flag, flag));
    world.search.flag = None;
    world.search.env = Some("".into());
    world.check((Source::Config, world.at("c")));
}

#[test]
fn an_explicit_engine_is_never_passed_over() {
    let mut world = World::new();
    world.native("bin/codex");
    world.search.env = Some(world.at("missing").into());
    let error = world.fails();
    assert!(
        matches!(
            &error,
            EngineError::Unusable {
                origin: Source::Env,
                ..
            }
        ),
        "{error}"
    );
    assert!(
        error.to_string().contains("CODEX_ORCH_ENGINE") && error.hint().contains("unset"),
        "{error}"
    );
    world.search.flag = Some(world.at("bin"));
    assert!(matches!(
        world.fails(),
        EngineError::Unusable {
            origin: Source::Flag,
            ..
        }
    ));
    fs::write(world.at("plain"), "x").unwrap();
    world.search.flag = Some(world.at("plain"));
    assert!(world.fails().to_string().contains("not executable"));
    world.search.flag = Some(world.search.own_exe.clone());
    assert!(matches!(
        world.fails(),
        EngineError::Ourselves {
            origin: Source::Flag,
            ..
        }
    ));
}

#[test]
fn ourselves_are_skipped_under_any_name_link_or_copy() {
    let mut world = World::new();
    let own = world.search.own_exe.clone();
    for folder in ["hard", "copy", "calls"] {
        fs::create_dir_all(world.at(folder)).unwrap();
    }
    world.link(&own, "soft/codex");
    fs::hard_link(&own, world.at("hard/codex")).unwrap();
    fs::copy(&own, world.at("copy/codex")).unwrap();
    script(&world.at("calls/codex"), "exec codex-orch \"$@\"");
    let theirs = world.native("bin/codex");
    let folders = ["soft", "hard", "copy", "calls", "nowhere", "bin"].map(|name| world.at(name));
    world.search.path = Some(std::env::join_paths(folders).unwrap());
    world.check((Source::Path, theirs));

    // Installed under the name `codex` itself.
    world.search.own_exe = world.at("bin/codex");
    world.search.path = Some(world.at("bin").into());
    assert!(matches!(world.fails(), EngineError::NotFound));
}

#[test]
fn a_file_of_our_length_is_not_ourselves() {
    let world = World::new();
    let text = fs::read_to_string(&world.search.own_exe).unwrap();
    script(&world.at("bin/codex"), "# ourselvez");
    assert_eq!(
        fs::metadata(world.at("bin/codex")).unwrap().len(),
        text.len() as u64
    );
    world.check((Source::Path, world.at("bin/codex")));
}

#[test]
fn a_node_launcher_leads_to_the_native_binary() {
    for (launcher, package) in [
        // npm: beside; npm global: nested; pnpm: beside, in its own store.
        ("lib/node_modules", "lib/node_modules"),
        (
            "lib/node_modules",
            "lib/node_modules/@openai/codex/node_modules",
        ),
        (
            "g/.pnpm/@openai+codex@0.169.0/node_modules",
            "g/.pnpm/@openai+codex@0.169.0/node_modules",
        ),
        ("a/node_modules/b/node_modules", "a/node_modules"),
    ] {
        let world = World::new();
        world.launcher(launcher);
        let native = world.package(package);
        world.check((Source::Path, fs::canonicalize(native).unwrap()));
    }
}

#[test]
fn a_launcher_with_its_vendor_folder_inside_is_followed_too() {
    let world = World::new();
    world.launcher("lib/node_modules");
    let native = Path::new("lib/node_modules/@openai/codex").join(PLATFORM.binary());
    let native = world.native(native.to_str().unwrap());
    world.check((Source::Path, fs::canonicalize(native).unwrap()));
}

#[test]
fn a_launcher_without_its_binary_is_an_error_with_a_hint() {
    let mut world = World::new();
    world.launcher("lib/node_modules");
    let error = world.fails();
    assert!(
        matches!(error, EngineError::NativeMissing { .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("codex-linux-x64")
            && error.hint().contains("--include=optional")
    );
    // A later entry of PATH that works is taken instead.
    let native = world.native("later/codex");
    world.search.path = Some(std::env::join_paths([world.at("bin"), world.at("later")]).unwrap());
    world.check((Source::Path, native));
}

#[test]
fn a_shell_shim_of_pnpm_is_followed() {
    let world = World::new();
    script(
        &world.at("bin/codex"),
        "basedir=$(dirname \"$0\")\nexec node \"$basedir/global/5/node_modules/@openai/codex/bin/codex.js\" \"$@\"",
    );
    script(
        &world.at("bin/global/5/node_modules/@openai/codex/bin/codex.js"),
        "// node",
    );
    let native = world.package("bin/global/5/node_modules");
    world.check((Source::Path, fs::canonicalize(native).unwrap()));
}

#[test]
fn the_pinned_version_is_preferred_then_the_newest() {
    let world = World::new();
    world.package("engine/0.99.0/node_modules");
    world.package("engine/.tmp-0.300.0/node_modules");
    let newest = world.package("engine/0.170.1/node_modules");
    fs::create_dir_all(world.at("engine/0.200.0")).unwrap();
    world.check((Source::Managed, newest));
    let pinned = world.package("engine/0.169.0/node_modules");
    world.check((Source::Managed, pinned));
}

#[test]
fn relative_entries_of_path_are_not_searched_and_a_loop_is_told() {
    let mut world = World::new();
    world.search.path = Some("::.:bin".into());
    assert!(matches!(world.fails(), EngineError::NotFound));
    world.search.probing = true;
    assert!(matches!(world.fails(), EngineError::Loop));
}
