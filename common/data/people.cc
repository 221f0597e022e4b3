#include "common/data/people.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>

#include "common/base/error.h"

namespace fl {
namespace {

// The number in <person>_<number><suffix>.
std::optional<std::uint64_t> recording_number(std::string_view file, std::string_view person,
                                              std::string_view suffix) {
  if (!file.starts_with(person) || !file.ends_with(suffix)) return std::nullopt;
  if (file.size() <= person.size() + 1 + suffix.size() || file[person.size()] != '_') return std::nullopt;
  const std::string_view digits =
      file.substr(person.size() + 1, file.size() - person.size() - 1 - suffix.size());
  std::uint64_t number = 0;
  const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (status != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

Person read_person(const std::filesystem::path& folder, std::string_view suffix) {
  Person person{folder.filename().string(), {}};
  std::set<std::pair<std::uint64_t, std::filesystem::path>> by_number;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto number = recording_number(entry.path().filename().string(), person.name, suffix);
    if (number && !entry.is_directory()) by_number.emplace(*number, entry.path());
  }
  for (const auto& [number, path] : by_number) person.files.push_back(path);
  return person;
}

std::vector<Person> read_people(const std::filesystem::path& folder, std::string_view suffix) {
  std::vector<Person> people;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.is_directory()) continue;
    Person person = read_person(entry.path(), suffix);
    if (!person.files.empty()) people.push_back(std::move(person));
  }
  std::sort(people.begin(), people.end(), [](const Person& a, const Person& b) { return a.name < b.name; });
  return people;
}

}  // namespace

std::vector<Person> people_in(const std::filesystem::path& folder, std::string_view suffix) {
  try {
    const auto inner = folder / "DATA";
    auto people = read_people(std::filesystem::is_directory(inner) ? inner : folder, suffix);
    if (!people.empty()) return people;
  } catch (const std::filesystem::filesystem_error& error) {
    throw_system_error(error.code().value(), "reading the folder " + error.path1().string());
  }
  throw Error(ErrorCode::invalid_data,
              folder.string() + " holds no files named DATA/<person>/<person>_<number>" +
                  std::string(suffix) + ", such as DATA/s01/s01_01" + std::string(suffix));
}

}  // namespace fl
