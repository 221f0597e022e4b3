#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace fl {

/// One person's files: in a federation over people, one device's data.
struct Person {
  std::string name;
  std::vector<std::filesystem::path> files;  ///< In the order of their numbers.
};

/// The people of a data set that is a folder a person, FOLDER/DATA/<person>/<person>_<number><suffix>, in the
/// order of their names; FOLDER may be the DATA folder itself. Other files are ignored, and folders without
/// such files. The default suffix picks the smartphones' recordings.
/// Throws Error(not_found) if `folder` is missing, Error(invalid_data) saying what layout was expected if it
/// holds no such files.
std::vector<Person> people_in(const std::filesystem::path& folder, std::string_view suffix = "_sp.csv");

}  // namespace fl
