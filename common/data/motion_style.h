#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fl {

/// What a person does; numbered as the labels of motion_contract().
enum class Activity : std::uint8_t { seated, standing_up, walking, turning, sitting_down };

/// Which activities people record.
enum class Routine : std::uint8_t {
  habitual,  ///< Each what they happen to do, and nobody every activity.
  complete,  ///< Everybody every activity, as people to test a model on should.
};

using Vector3 = std::array<double, 3>;
/// Rows of a rotation.
using Rotation = std::array<Vector3, 3>;

Vector3 rotate(const Rotation& rotation, const Vector3& vector);

/// A rotation by |axis| radians around `axis`.
Rotation rotation_around(const Vector3& axis);

/// How a person moves and carries the phone: what makes people's data differ. Lengths in metres, times in
/// seconds, angles in radians; the thigh's own axes are forward, left and up.
struct MotionStyle {
  Rotation mount{};           ///< From the thigh's axes to the phone's.
  double seat_angle = 0.0;    ///< Of the thigh when seated; 0 is standing.
  double step_rate = 0.0;     ///< Steps a second.
  double bounce = 0.0;        ///< Vertical acceleration of a step, m/s².
  double swing = 0.0;         ///< Of the thigh, to each side.
  double asymmetry = 0.0;     ///< Share by which left and right steps differ.
  double step_shape = 0.0;    ///< Phase of a step's second harmonic.
  double turn_rate = 0.0;     ///< Yaw at the middle of a turn, radians a second.
  double rise_time = 0.0;     ///< Of getting up and of sitting down.
  double restlessness = 0.0;  ///< Of small movements while seated, radians.
  double accelerometer_noise = 0.0;
  double gyroscope_noise = 0.0;
  Vector3 gyroscope_bias{};
  std::vector<Activity> routine;  ///< What each recording holds, in this order.

  /// The style of one person. Phones are in one of four positions (screen in or out, top up or down), which
  /// people take in turn, never quite straight; habitual routines go round, too.
  static MotionStyle of_person(std::uint64_t seed, std::uint64_t person, Routine routine);
};

}  // namespace fl
