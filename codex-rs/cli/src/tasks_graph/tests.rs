//! The drawings as people and programs read them: exact text on a terminal, the files by parsers that aren't ours, and
//! all of them with titles that would like to be markup.

mod files;
mod given;
mod places;
mod terminal;
