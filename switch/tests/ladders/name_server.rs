//! A name server of our own: SRV and A records of one zone.

use std::net::{Ipv4Addr, SocketAddr};

use hickory_resolver::proto::op::{Message, OpCode};
use hickory_resolver::proto::rr::rdata::{A, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// Ends with the test.
pub(crate) struct NameServer {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A SRV record: service, priority, port.
pub(crate) type Server = (&'static str, u16, u16);

impl NameServer {
    /// All servers are at `server.test`, which is this machine.
    pub(crate) async fn start(servers: Vec<Server>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut buffer = [0; 1_500];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                let question = Message::from_vec(&buffer[..length]).unwrap();
                let answer = answer(&question, &servers).to_vec().unwrap();
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        Self { address, task }
    }
}

fn answer(question: &Message, servers: &[Server]) -> Message {
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    let host = Name::from_ascii("server.test.").unwrap();
    for query in &question.queries {
        answer.add_query(query.clone());
        let name = query.name.to_ascii().to_ascii_lowercase();
        match query.query_type {
            RecordType::SRV => {
                for (service, priority, port) in servers {
                    if name == format!("{service}.") {
                        let record = SRV::new(*priority, 1, *port, host.clone());
                        let data = RData::SRV(record);
                        answer.add_answer(Record::from_rdata(query.name.clone(), 60, data));
                    }
                }
            }
            RecordType::A if name == "server.test." => {
                let data = RData::A(A(Ipv4Addr::LOCALHOST));
                answer.add_answer(Record::from_rdata(query.name.clone(), 60, data));
            }
            _ => {}
        }
    }
    answer
}
