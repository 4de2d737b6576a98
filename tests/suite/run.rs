//! `ecs-parrot run`: the built program, and what the other side received.

mod on_moto;
