//! The customers of the demonstration: each sends its requests one after the other.

use std::{convert::Infallible, time::Duration};

use hyper::HeaderMap;
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::connection::Connection;

const CUSTOMERS: usize = 4;

pub(crate) struct Customers(Vec<JoinHandle<Infallible>>);

impl Customers {
    pub(crate) fn start(address: &str) -> Self {
        Self((0..CUSTOMERS).map(|_| tokio::spawn(shop_at(address.to_owned()))).collect())
    }

    pub(crate) fn stop(self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Of thirty requests, nine check out and one is slow; a pause of a millisecond between two.
async fn shop_at(address: String) -> Infallible {
    let mut pause = interval(Duration::from_millis(1));
    pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let Ok(mut connection) = Connection::open(&address).await else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        for number in 0_u64.. {
            pause.tick().await;
            let path = match number % 30 {
                5 => "/slow?ms=20",
                place if place % 3 == 0 => "/checkout",
                _ => "/catalog",
            };
            if connection.get(path, HeaderMap::new()).await.is_err() {
                break;
            }
        }
    }
}
