#include <fcntl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "common/base/files.h"
#include "tests/e2e/federation.h"
#include "tests/support/http_client.h"

using namespace fl;
using namespace fl::test;

namespace {

std::string without_line_end(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::uint16_t port_in(const std::string& line) {
  return static_cast<std::uint16_t>(std::stoul(line.substr(line.rfind(':') + 1)));
}

/// A prediction of one window of zeros.
std::string request() {
  std::string zeros = "0";
  for (int i = 1; i < 6 * 50; ++i) zeros += ",0";
  return R"({"inputs":[{"name":"input","shape":[1,6,50],"datatype":"FP32","data":[)" + zeros + "]}]}";
}

HttpAnswer ask(std::uint16_t port, const std::string& key, std::shared_ptr<ssl_ctx_st> tls = nullptr) {
  return HttpClient(port, std::move(tls))
      .ask("POST", "/v2/models/motion/infer", {{"Authorization", "Bearer " + key}}, request());
}

/// A device that has fetched a version, and whose server is gone.
std::unique_ptr<Federation> with_a_device() {
  Federation::Settings settings;
  settings.devices = 1;
  settings.recordings = 1;
  auto federation = std::make_unique<Federation>(settings);
  federation->start_server();
  federation->enrol_with(0, {});
  output_of("fl-client", {"sync", federation->device_home(0).string()});
  federation->stop_server();
  return federation;
}

std::string key_of(const Federation& federation) {
  return without_line_end(read_text_file(federation.device_home(0) / "serving.key"));
}

}  // namespace

TEST_CASE("a device's endpoint answers without a network until it is told to stop (I2)") {
  const auto federation = with_a_device();
  Process endpoint("fl-client", {"serve", federation->device_home(0).string(), "--listen", "127.0.0.1:0"});
  const std::uint16_t port = port_in(endpoint.wait_for_line("listening on http://"));
  const HttpAnswer answer = ask(port, key_of(*federation));
  CHECK(answer.status == 200);
  CHECK(boost::json::parse(answer.body).at("parameters").at("route") == boost::json::value("local"));
  CHECK(ask(port, "another").status == 401);
  endpoint.signal(SIGTERM);
  CHECK(endpoint.wait().exit_code == 0);
}

TEST_CASE("an endpoint that is started on demand answers on its socket and ends when nobody asks") {
  const auto federation = with_a_device();
  boost::asio::io_context context;
  boost::asio::ip::tcp::acceptor acceptor(context, {boost::asio::ip::address_v4::loopback(), 0});
  const std::uint16_t port = acceptor.local_endpoint().port();
  ::fcntl(acceptor.native_handle(), F_SETFD, 0);
  const std::string descriptor = std::to_string(acceptor.native_handle());
  // As systemd starts it: the socket is descriptor 3, and the variables name the process.
  const std::string script = "exec 3<&" + descriptor + "; LISTEN_PID=$$ LISTEN_FDS=1 exec " +
                             program_path("fl-client").string() + " serve " +
                             federation->device_home(0).string() + " --idle-exit 1";
  Process endpoint("/bin/sh", {"-c", script});
  acceptor.close();
  HttpClient client(port);  // waits in the socket's queue until the endpoint is there
  CHECK(client.ask("GET", "/v2/health/live").status == 200);
  CHECK(ask(port, key_of(*federation)).status == 200);
  CHECK(endpoint.wait().exit_code == 0);
}

TEST_CASE("a server answers predictions over HTTPS to who shows a key that the operator made") {
  Federation::Settings settings;
  settings.devices = 1;
  settings.recordings = 1;
  Federation federation(settings);
  federation.start_server();
  const std::string home = federation.server_home().string();
  const std::string key =
      without_line_end(output_of("fl-server", {"key", "add", home, "shop", "--task", "motion"}));
  const std::uint16_t port =
      port_in(federation.server().wait_for_line("predictions are answered at https://"));
  const std::shared_ptr<ssl_ctx_st> tls(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  SSL_CTX_load_verify_locations(tls.get(), (federation.server_home() / "authority.pem").c_str(), nullptr);
  SSL_CTX_set_verify(tls.get(), SSL_VERIFY_PEER, nullptr);
  HttpAnswer answer = ask(port, key, tls);
  while (answer.status == 503) answer = ask(port, key, tls);  // while the model is being opened
  CHECK(answer.status == 200);
  CHECK(boost::json::parse(answer.body).at("parameters").at("route") == boost::json::value("server"));
  CHECK(ask(port, "another", tls).status == 401);
  CHECK(output_of("fl-server", {"key", "list", home}).find("shop") != std::string::npos);
  output_of("fl-server", {"key", "remove", home, "shop"});
  federation.server().wait_for_line("there is no key any more");
  CHECK(federation.stop_server().exit_code == 0);
}
