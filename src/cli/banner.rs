//! What a person at a terminal sees when the service is up.

use super::output;
use crate::node::Addresses;
use std::io::IsTerminal as _;

/// Prints where everything is, if a person is looking; the log says the same to machines.
pub(super) fn show(addresses: &Addresses) {
    if !std::io::stdout().is_terminal() {
        return;
    }
    let Addresses {
        app,
        operations,
        media,
        data,
    } = addresses;
    let media: Vec<_> = media.iter().map(ToString::to_string).collect();
    output::text(format_args!(
        "\n  Mi Talk {version} is up\n\n\
         \x20 app         {app}\n\
         \x20 API         {app}/openapi.json\n\
         \x20 operations  {operations}/metrics  /healthz  /readyz\n\
         \x20 audio       UDP {media}\n\
         \x20 data        {data}\n\n\
         \x20 One-time codes are printed below. Stop with Ctrl-C.\n\n",
        version = env!("CARGO_PKG_VERSION"),
        media = media.join(", "),
        data = data.display(),
    ));
}
