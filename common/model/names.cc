#include "common/model/names.h"

#include <algorithm>

namespace fl::names {

std::string label_fault(std::string_view label) {
  if (label.empty()) return "is empty";
  if (label.size() > model_limits::name_bytes) {
    return "is longer than " + std::to_string(model_limits::name_bytes) + " bytes";
  }
  if (!is_utf8(label)) return "is not UTF-8";
  return "";
}

std::string name_fault(std::string_view name) {
  std::string fault = label_fault(name);
  if (fault.empty() && std::any_of(name.begin(), name.end(), is_control)) {
    fault = "holds a control character";
  }
  return fault;
}

bool is_identifier(std::string_view name) {
  return !name.empty() && name.size() <= model_limits::task_name_bytes &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string_view::npos;
}

}  // namespace fl::names
