#pragma once

#include <string>

#include "server/care/finding.h"
#include "server/ledger/ledger.h"

namespace fl::server {

/// Holds a task's evaluations against their devices' reports: one that has ended counts as many devices and
/// examples as reported. Throws Error as the ledger does.
void check_evaluations(const Ledger& ledger, const std::string& task, Findings& findings);

}  // namespace fl::server
