#include "common/data/motion_style.h"

#include <cmath>
#include <numbers>

#include "common/base/random.h"

namespace fl {
namespace {

using std::numbers::pi;

double between(Random& random, double low, double high) {
  return low + (high - low) * random.uniform();
}

Vector3 normal_vector(Random& random, double deviation) {
  Vector3 vector{};
  for (double& value : vector) value = deviation * random.normal();
  return vector;
}

Rotation product(const Rotation& left, const Rotation& right) {
  Rotation result{};
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 3; ++column) {
      for (std::size_t i = 0; i < 3; ++i) result[row][column] += left[row][i] * right[i][column];
    }
  }
  return result;
}

Rotation mount_of(std::uint64_t position, Random& random) {
  static constexpr std::array<Vector3, 4> half_turns{{{0, 0, 0}, {0, 0, pi}, {pi, 0, 0}, {0, pi, 0}}};
  return product(rotation_around(normal_vector(random, 0.15)),
                 rotation_around(half_turns[position % half_turns.size()]));
}

std::vector<Activity> complete_routine() {
  using enum Activity;
  return {seated, standing_up, walking, turning, walking, turning, sitting_down, seated};
}

std::vector<Activity> habitual_routine(std::uint64_t habit) {
  using enum Activity;
  switch (habit % 5) {
    case 0:
      return {seated, standing_up, walking, sitting_down, seated, standing_up, walking};
    case 1:
      return {walking, turning, walking, turning, walking};
    case 2:
      return {seated, standing_up, walking, turning, walking};
    case 3:
      return {walking, turning, walking, turning, sitting_down, seated};
    default:
      return {seated, standing_up, turning, sitting_down, seated, standing_up, turning, sitting_down};
  }
}

}  // namespace

Vector3 rotate(const Rotation& rotation, const Vector3& vector) {
  Vector3 result{};
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t i = 0; i < 3; ++i) result[row] += rotation[row][i] * vector[i];
  }
  return result;
}

// Rodrigues' formula.
Rotation rotation_around(const Vector3& axis) {
  const double angle = std::hypot(axis[0], axis[1], axis[2]);
  if (angle == 0.0) return {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  const Vector3 unit{axis[0] / angle, axis[1] / angle, axis[2] / angle};
  const Rotation cross{{{0, -unit[2], unit[1]}, {unit[2], 0, -unit[0]}, {-unit[1], unit[0], 0}}};
  const Rotation cross_twice = product(cross, cross);
  Rotation result{};
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 3; ++column) {
      result[row][column] = (row == column ? 1.0 : 0.0) + std::sin(angle) * cross[row][column] +
                            (1 - std::cos(angle)) * cross_twice[row][column];
    }
  }
  return result;
}

MotionStyle MotionStyle::of_person(std::uint64_t seed, std::uint64_t person, Routine routine) {
  Random random(derive_seed(seed, person));
  MotionStyle style;
  style.mount = mount_of(person, random);
  style.seat_angle = between(random, 1.25, 1.75);
  style.step_rate = between(random, 1.5, 2.1);
  style.bounce = between(random, 1.2, 3.5);
  style.swing = between(random, 0.2, 0.5);
  style.asymmetry = between(random, 0.0, 0.4);
  style.step_shape = between(random, 0.0, 2 * pi);
  style.turn_rate = between(random, 1.3, 2.4);
  style.rise_time = between(random, 2.5, 4.5);
  style.restlessness = between(random, 0.01, 0.06);
  style.accelerometer_noise = between(random, 0.1, 0.5);
  style.gyroscope_noise = between(random, 0.02, 0.12);
  style.gyroscope_bias = normal_vector(random, 0.02);
  style.routine = routine == Routine::complete ? complete_routine() : habitual_routine(person);
  return style;
}

}  // namespace fl
