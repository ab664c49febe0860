//! The limit that publishing is measured against: an actix-web handler that takes a body, counts it and answers.

use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::{App, HttpResponse, HttpServer, rt::System, web};

use super::Result;

/// Serves until it is killed.
pub fn serve() -> Result<()> {
    System::new().block_on(async {
        let taken = web::Data::new(AtomicU64::new(0));
        let server = HttpServer::new(move || {
            App::new().app_data(taken.clone()).route("/channels/{channel}", web::post().to(take))
        });
        let server = server.workers(1).tcp_nodelay(true).bind(("127.0.0.1", 0))?;
        for address in server.addrs() {
            println!("listening on http://{address}");
        }
        server.run().await
    })?;
    Ok(())
}

async fn take(_channel: web::Path<String>, _body: web::Bytes, taken: web::Data<AtomicU64>) -> HttpResponse {
    let number = taken.fetch_add(1, Ordering::Relaxed) + 1;
    HttpResponse::Created()
        .content_type("application/json")
        .body(format!(r#"{{"id":"bare.{number}","subscribers":0}}"#))
}
