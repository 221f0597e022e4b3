#include "common/model/layout_json.h"

#include <utility>

#include <boost/json.hpp>

#include "common/model/json_reader.h"

namespace fl {
namespace {

constexpr std::size_t longest_text = 64'000'000;

Role role_from_name(std::string_view text) {
  for (const Role role : {Role::trained, Role::buffer, Role::personal}) {
    if (name(role) == text) return role;
  }
  throw Error(ErrorCode::invalid_data,
              "'" + std::string(text) + "' is not a role, the known ones are trained, buffer, personal");
}

void add_tensor(Layout& layout, const boost::json::value& value, const std::string& path) {
  json::ObjectReader reader(value, path);
  std::string tensor_name;
  Datatype type = Datatype::fp32;
  Shape shape;
  Role role = Role::trained;
  reader.required("name", tensor_name);
  reader.required("type", type, datatype_from_name);
  reader.required("shape", shape);
  reader.required("role", role, role_from_name);
  reader.finish();
  json::within_key(path, [&] { layout.add(std::move(tensor_name), type, std::move(shape), role); });
}

}  // namespace

std::string to_json(const Layout& layout) {
  boost::json::array tensors;
  for (const LayoutEntry& entry : layout.entries()) {
    tensors.push_back({{"name", entry.name},
                       {"type", name(entry.archive_type)},
                       {"shape", boost::json::value_from(entry.shape)},
                       {"role", name(entry.role)}});
  }
  return boost::json::serialize(boost::json::object{{"tensors", std::move(tensors)}});
}

Layout layout_from_json(std::string_view text) {
  const boost::json::value document = json::parse(text, "the layout", longest_text);
  json::ObjectReader reader(document, "");
  Layout layout;
  const std::string path = reader.path_of("tensors");
  std::size_t index = 0;
  for (const boost::json::value& tensor : json::read_array(reader.value("tensors"), path)) {
    add_tensor(layout, tensor, path + "[" + std::to_string(index++) + "]");
  }
  reader.finish();
  return layout;
}

}  // namespace fl
