//! What the shop does for each route. Each function has a span and a histogram of its name, by
//! `#[observe]`; the request around it is measured in `server.rs`.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use bellwether::{observe, trace::set_attribute};
use hyper::{Method, Request, Response, StatusCode, body::Incoming};
use tokio::time::sleep;

use crate::{inventory::Inventory, stores::Stores};

pub(crate) struct Shop {
    pub(crate) inventory: Inventory,
    pub(crate) stores: Stores,
    orders: AtomicU64,
}

/// Why a request fails that was right.
#[derive(Debug)]
pub(crate) enum Fault {
    InventoryAway,
    DatabaseAway,
    PaymentRefused,
}

#[derive(Clone, Copy)]
pub(crate) enum Route {
    Catalog,
    Checkout,
    Inventory,
    Fail,
    Slow,
}

impl Shop {
    /// With the inventory service at `HOST:PORT`.
    pub(crate) fn new(inventory: &str) -> Self {
        let inventory = Inventory::new(inventory);
        Self { inventory, stores: Stores::default(), orders: AtomicU64::new(0) }
    }

    pub(crate) async fn answer(
        &self,
        route: Option<Route>,
        request: &Request<Incoming>,
    ) -> Response<String> {
        let Some(route) = route else { return response(StatusCode::NOT_FOUND, "") };
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return response(StatusCode::METHOD_NOT_ALLOWED, "");
        }
        let answer = match route {
            Route::Catalog => Ok(list_products().await),
            Route::Checkout => {
                let number = self.orders.fetch_add(1, Relaxed);
                self.place_order(number).await
            }
            Route::Inventory => Ok(count().await),
            Route::Fail => charge_card().await,
            Route::Slow => match wait(request.uri().query()) {
                Some(ms) => Ok(answer_slowly(ms).await),
                None => return response(StatusCode::BAD_REQUEST, "ms must be a number\n"),
            },
        };
        match answer {
            Ok(text) => response(StatusCode::OK, text),
            Err(fault) => response(fault.status(), ""),
        }
    }

    #[observe(name = "checkout.place_order", fields("order.number" = number as i64))]
    async fn place_order(&self, number: u64) -> Result<String, Fault> {
        let items = self.stores.cart(number).await?;
        set_attribute("cart.items", items as i64);
        let stock = self.inventory.stock().await?;
        self.stores.insert_order(number).await?;
        Ok(format!("ordered {items} of {stock}"))
    }
}

#[observe(name = "catalog.list_products")]
async fn list_products() -> String {
    "apples, pears\n".to_owned()
}

#[observe(name = "inventory.count")]
async fn count() -> String {
    "12\n".to_owned()
}

#[observe(name = "payment.charge_card")]
async fn charge_card() -> Result<String, Fault> {
    Err(Fault::PaymentRefused)
}

#[observe(name = "report.answer_slowly", fields("wait.ms" = ms as i64))]
async fn answer_slowly(ms: u64) -> String {
    sleep(Duration::from_millis(ms.min(10_000))).await;
    format!("waited {ms} ms\n")
}

impl Route {
    pub(crate) fn of(path: &str) -> Option<Self> {
        let all = [Self::Catalog, Self::Checkout, Self::Inventory, Self::Fail, Self::Slow];
        all.into_iter().find(|route| route.pattern() == path)
    }

    pub(crate) fn pattern(self) -> &'static str {
        match self {
            Self::Catalog => "/catalog",
            Self::Checkout => "/checkout",
            Self::Inventory => "/inventory",
            Self::Fail => "/fail",
            Self::Slow => "/slow",
        }
    }
}

impl Fault {
    fn status(&self) -> StatusCode {
        match self {
            Self::InventoryAway => StatusCode::BAD_GATEWAY,
            Self::DatabaseAway => StatusCode::SERVICE_UNAVAILABLE,
            Self::PaymentRefused => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// The number of milliseconds in `ms=N`.
fn wait(query: Option<&str>) -> Option<u64> {
    query?.split('&').find_map(|pair| pair.strip_prefix("ms="))?.parse().ok()
}

fn response(status: StatusCode, body: impl Into<String>) -> Response<String> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
}
