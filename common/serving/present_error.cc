#include "common/serving/present_error.h"

#include <exception>
#include <new>

namespace fl::serving {

Error present_error() {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return {ErrorCode::unavailable, "there is not memory enough; ask again"};
  } catch (const std::exception& error) {
    return {ErrorCode::internal, error.what()};
  }
}

}  // namespace fl::serving
