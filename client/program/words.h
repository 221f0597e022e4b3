#pragma once

#include <string>
#include <vector>

namespace fl::program {

/// The command line with the files that follow HOME by their place alone ("import HOME a.csv b.csv --task t")
/// put behind --data, which is how the options of import and predict take any number of them. Other commands'
/// words stay as they are.
std::vector<std::string> with_named_files(const std::vector<std::string>& words);

}  // namespace fl::program
