//! A terminal to run `codex-orch` in: a pseudo-terminal with an emulator behind it, keys, and waiting for what the user
//! would see. Waiting is for a change of the screen, never for time.

use std::io::{Read as _, Write};
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use alacritty_terminal::event::{Event, EventListener, WindowSize};
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::Flags;
use alacritty_terminal::term::{Config, Term, TermMode};
use alacritty_terminal::vte::ansi::{Processor, Rgb};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

use crate::world::{PATIENCE, World};

const COLUMNS: u16 = 110;
const LINES: u16 = 40;

/// A key as a terminal with the kitty protocol's first level sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "the keys of a keyboard, pressed by a test or not")]
pub(crate) enum Key {
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
    Up,
    Down,
    Left,
    Right,
    ShiftLeft,
    CtrlC,
    CtrlD,
    CtrlJ,
    F2,
    Char(char),
}

impl Key {
    fn bytes(self) -> Vec<u8> {
        let fixed: &[u8] = match self {
            Self::Enter => b"\r",
            Self::Esc => b"\x1b[27u",
            Self::Tab => b"\t",
            Self::BackTab => b"\x1b[Z",
            Self::Backspace => b"\x7f",
            Self::Up => b"\x1b[A",
            Self::Down => b"\x1b[B",
            Self::Right => b"\x1b[C",
            Self::Left => b"\x1b[D",
            Self::ShiftLeft => b"\x1b[1;2D",
            Self::CtrlC => b"\x1b[99;5u",
            Self::CtrlD => b"\x1b[100;5u",
            Self::F2 => b"\x1bOQ",
            Self::CtrlJ => b"\x1b[106;5u",
            Self::Char(char) => return char.to_string().into_bytes(),
        };
        fixed.to_vec()
    }
}

/// How it came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) code: u32,
    pub(crate) signal: Option<String>,
}

struct Listener(Sender<Event>);

impl EventListener for Listener {
    fn send_event(&self, event: Event) {
        // The reader of these lives as long as the terminal.
        let _ = self.0.send(event);
    }
}

struct Size;

impl Dimensions for Size {
    fn total_lines(&self) -> usize {
        self.screen_lines()
    }

    fn screen_lines(&self) -> usize {
        usize::from(LINES)
    }

    fn columns(&self) -> usize {
        usize::from(COLUMNS)
    }
}

struct Shown {
    term: Term<Listener>,
    exit: Option<Exit>,
    /// Whether all it has written is in `term`: its end is often seen before its last words.
    is_read: bool,
}

struct Shared {
    shown: Mutex<Shown>,
    changed: Condvar,
    writer: Mutex<Box<dyn Write + Send>>,
}

/// A program in a terminal. It is ended when this is dropped.
pub(crate) struct Screen {
    shared: Arc<Shared>,
    pid: Pid,
}

impl Screen {
    /// `codex-orch ARGS` in the world's repository.
    pub(crate) fn start(world: &World, args: &[&str]) -> Self {
        Self::of(&world.command(args))
    }

    /// Any program, in the environment and folder that `command` has.
    pub(crate) fn of(command: &Command) -> Self {
        let size = PtySize {
            rows: LINES,
            cols: COLUMNS,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pty = native_pty_system().openpty(size).unwrap();
        let mut child = pty.slave.spawn_command(builder(command)).unwrap();
        drop(pty.slave);
        let mut reader = pty.master.try_clone_reader().unwrap();
        let (events, told) = channel();
        let config = Config {
            kitty_keyboard: true,
            ..Config::default()
        };
        let shared = Arc::new(Shared {
            shown: Mutex::new(Shown {
                term: Term::new(config, &Size, Listener(events)),
                exit: None,
                is_read: false,
            }),
            changed: Condvar::new(),
            writer: Mutex::new(pty.master.take_writer().unwrap()),
        });
        let pid = child.process_id().unwrap();
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        let reading = Arc::clone(&shared);
        std::thread::spawn(move || {
            // The master stays open until its last byte is read.
            let _master = pty.master;
            let mut parser = Processor::<alacritty_terminal::vte::ansi::StdSyncHandler>::new();
            let mut bytes = [0; 65_536];
            while let Ok(n @ 1..) = reader.read(&mut bytes) {
                parser.advance(&mut reading.shown.lock().unwrap().term, &bytes[..n]);
                told.try_iter().for_each(|event| reading.answer(event));
                reading.changed.notify_all();
            }
            reading.shown.lock().unwrap().is_read = true;
            reading.changed.notify_all();
        });
        let waiting = Arc::clone(&shared);
        std::thread::spawn(move || {
            let status = child.wait().unwrap();
            waiting.shown.lock().unwrap().exit = Some(Exit {
                code: status.exit_code(),
                signal: status.signal().map(str::to_owned),
            });
            waiting.changed.notify_all();
        });
        Self { shared, pid }
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// The whole screen, each line without the blanks at its end.
    pub(crate) fn text(&self) -> String {
        rows(&self.shared.shown.lock().unwrap().term).join("\n")
    }

    /// The line the cursor is in, up to the cursor; none while it is hidden.
    pub(crate) fn before_cursor(&self) -> Option<String> {
        before_cursor(&self.shared.shown.lock().unwrap().term)
    }

    /// Waits until `text` stands on the screen.
    #[track_caller]
    pub(crate) fn until(&self, text: &str) -> &Self {
        self.wait(&format!("{text:?}"), |shown| contains(shown, text))
    }

    /// Waits until `text` stands on the screen or the program has ended; whether it does.
    #[track_caller]
    pub(crate) fn shows_before_its_end(&self, text: &str) -> bool {
        let has_ended = |shown: &Shown| shown.exit.is_some() && shown.is_read;
        self.wait(&format!("{text:?} or the end"), |shown| {
            contains(shown, text) || has_ended(shown)
        });
        contains(&self.shared.shown.lock().unwrap(), text)
    }

    /// Waits until `text` stands nowhere on the screen.
    #[track_caller]
    pub(crate) fn until_gone(&self, text: &str) -> &Self {
        self.wait(&format!("no {text:?}"), |shown| !contains(shown, text))
    }

    /// How often `text` stands on the screen.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.text().matches(text).count()
    }

    /// Waits until `text` stands on the screen more than `n` times.
    #[track_caller]
    pub(crate) fn until_more(&self, text: &str, n: usize) -> &Self {
        self.wait(&format!("{text:?} more than {n} times"), |shown| {
            rows(&shown.term).join("\n").matches(text).count() > n
        })
    }

    /// Waits until the composer, or any other field, is ready and has nothing before the cursor.
    #[track_caller]
    pub(crate) fn until_empty(&self) -> &Self {
        self.wait("an empty composer", |shown| {
            before_cursor(&shown.term).is_some_and(|before| before.trim() == PROMPT)
        })
    }

    pub(crate) fn key(&self, key: Key) -> &Self {
        self.shared.write(&key.bytes());
        self
    }

    /// Presses a key until `text` is gone: a question that has just come up takes no key for a moment, so that nobody answers
    /// it by accident.
    #[track_caller]
    pub(crate) fn answer(&self, key: Key, text: &str) -> &Self {
        let until = Instant::now() + PATIENCE;
        let is_there = |shown: &mut Shown| contains(shown, text) && shown.exit.is_none();
        while Instant::now() < until {
            self.key(key);
            let shown = self.shared.shown.lock().unwrap();
            let (shown, waited) = self
                .shared
                .changed
                .wait_timeout_while(shown, AGAIN, is_there)
                .unwrap();
            drop(shown);
            if !waited.timed_out() {
                return self;
            }
        }
        panic!("{key:?} does nothing; the screen:\n{}", self.text());
    }

    /// Types like a person: each character when the one before it is there. (Faster ones are taken for a paste, and an Enter
    /// right after a paste for a part of it.)
    #[track_caller]
    pub(crate) fn type_text(&self, text: &str) -> &Self {
        let mut typed = self.before_cursor().unwrap_or_default();
        for char in text.chars() {
            typed.push(char);
            let end: String = tail(&typed, 8);
            self.key(Key::Char(char));
            self.wait(&format!("typed {end:?}"), |shown| {
                before_cursor(&shown.term).is_some_and(|before| before.ends_with(&end))
            });
        }
        self
    }

    /// Pastes, and waits until the end of it is there.
    #[track_caller]
    pub(crate) fn paste(&self, text: &str) -> &Self {
        self.shared
            .write(format!("\x1b[200~{text}\x1b[201~").as_bytes());
        let end = last_words(text);
        self.wait(&format!("pasted {end:?}"), |shown| {
            before_cursor(&shown.term).is_some_and(|before| before.ends_with(&end))
        })
    }

    /// Puts a message or a command into the empty composer and sends it: Enter, until it has left the composer.
    #[track_caller]
    pub(crate) fn submit(&self, prompt: &str) -> &Self {
        self.until_empty();
        self.paste(prompt);
        self.key(Key::Enter);
        let end = last_words(prompt);
        self.wait(&format!("{end:?} sent"), |shown| {
            before_cursor(&shown.term).is_none_or(|before| !before.ends_with(&end))
        })
    }

    /// Leaves as a user does, and waits for the end.
    #[track_caller]
    pub(crate) fn quit(&self) -> Exit {
        self.until_empty();
        self.submit("/quit");
        self.exit()
    }

    /// Waits for the end of the program.
    #[track_caller]
    pub(crate) fn exit(&self) -> Exit {
        self.wait("the end", |shown| shown.exit.is_some());
        let shown = self.shared.shown.lock().unwrap();
        shown.exit.clone().unwrap()
    }

    /// Waits for the end of the program; its exit code.
    #[track_caller]
    pub(crate) fn exit_code(&self) -> u32 {
        self.exit().code
    }

    /// Waits until `holds`; a screen on which it never does fails the test and is shown.
    #[track_caller]
    fn wait(&self, what: &str, holds: impl Fn(&Shown) -> bool) -> &Self {
        let until = Instant::now() + PATIENCE;
        let mut shown = self.shared.shown.lock().unwrap();
        while !holds(&shown) {
            let left = until.saturating_duration_since(Instant::now());
            let is_over = left.is_zero() || (shown.exit.is_some() && shown.is_read);
            if is_over {
                let (exit, screen) = (shown.exit.clone(), rows(&shown.term).join("\n"));
                drop(shown);
                panic!("waited for {what}; exit: {exit:?}; the screen:\n{screen}");
            }
            shown = self.shared.changed.wait_timeout(shown, left).unwrap().0;
        }
        drop(shown);
        self
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let has_ended = match self.shared.shown.lock() {
            Ok(shown) => shown.exit.is_some(),
            Err(poisoned) => poisoned.into_inner().exit.is_some(),
        };
        if !has_ended {
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}

impl Shared {
    fn write(&self, bytes: &[u8]) {
        let mut writer = self.writer.lock().unwrap();
        writer.write_all(bytes).unwrap();
        writer.flush().unwrap();
    }

    /// What the program asked its terminal is answered.
    fn answer(&self, event: Event) {
        let answer = match event {
            Event::PtyWrite(text) => text,
            Event::ColorRequest(index, format) => {
                let level = if index == BACKGROUND { 0x10 } else { 0xe0 };
                format(Rgb {
                    r: level,
                    g: level,
                    b: level,
                })
            }
            Event::TextAreaSizeRequest(format) => format(WindowSize {
                num_lines: LINES,
                num_cols: COLUMNS,
                cell_width: 8,
                cell_height: 16,
            }),
            Event::MouseCursorDirty
            | Event::Title(_)
            | Event::ResetTitle
            | Event::ClipboardStore(..)
            | Event::ClipboardLoad(..)
            | Event::CursorBlinkingChange
            | Event::Wakeup
            | Event::Bell
            | Event::Exit
            | Event::ChildExit(_) => return,
        };
        // A program that has ended needs none.
        let _ = self.writer.lock().unwrap().write_all(answer.as_bytes());
    }
}

/// When a key that did nothing is pressed again.
const AGAIN: Duration = Duration::from_secs(1);
/// What stands before the cursor in an empty composer.
const PROMPT: &str = "›";
/// OSC 11's index among the emulator's colours.
const BACKGROUND: usize = 257;

fn builder(command: &Command) -> CommandBuilder {
    let mut builder = CommandBuilder::new(command.get_program());
    builder.args(command.get_args());
    builder.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            builder.env(name, value);
        }
    }
    builder.env("TERM", "xterm-256color");
    builder.env("LANG", "C.UTF-8");
    if let Some(folder) = command.get_current_dir() {
        builder.cwd(folder);
    }
    builder
}

fn rows(term: &Term<Listener>) -> Vec<String> {
    (0..i32::from(LINES))
        .map(|line| {
            cells(term, line, usize::from(COLUMNS))
                .trim_end()
                .to_owned()
        })
        .collect()
}

fn contains(shown: &Shown, text: &str) -> bool {
    rows(&shown.term).join("\n").contains(text)
}

fn before_cursor(term: &Term<Listener>) -> Option<String> {
    let point = term.grid().cursor.point;
    let is_shown = term.mode().contains(TermMode::SHOW_CURSOR);
    is_shown.then(|| cells(term, point.line.0, point.column.0))
}

fn cells(term: &Term<Listener>, line: i32, end: usize) -> String {
    let row = &term.grid()[Line(line)];
    let cells = (0..end).map(|column| &row[Column(column)]);
    cells
        .filter(|cell| !cell.flags.contains(Flags::WIDE_CHAR_SPACER))
        .map(|cell| cell.c)
        .collect()
}

/// The end of a text, short enough to stand in one line of the composer.
fn last_words(text: &str) -> String {
    tail(text.lines().last().unwrap_or_default(), 12)
}

fn tail(text: &str, most: usize) -> String {
    let skipped = text.chars().count().saturating_sub(most);
    text.chars().skip(skipped).collect()
}
