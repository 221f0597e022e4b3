#include <cstdio>
#include <fl/device.h>

int main(int, char** arguments) {
  try {
    const fl::Device device = fl::Device::open(arguments[1]);
    return 1;
  } catch (const fl::Error& error) {
    std::printf("%s\n", error.what());
    return error.code() == fl::ErrorCode::not_found ? 0 : 2;
  }
}
