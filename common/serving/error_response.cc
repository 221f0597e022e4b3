#include "common/serving/error_response.h"

#include "common/serving/infer_response.h"

namespace fl::serving {

net::HttpResponse error_response(unsigned status, const std::string& sentence) {
  return net::text_response(status, "application/json", error_body(sentence));
}

net::HttpResponse unauthorized(const std::string& sentence) {
  net::HttpResponse response = error_response(401, sentence);
  response.fields.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace fl::serving
